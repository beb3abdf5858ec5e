"""What all reproductions share: how a study is asked for, run, looked at and kept. A domain's folder is beside this one."""
