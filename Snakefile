# Population Based Training of Neural Networks (Jaderberg et al., 2017), reproduced.
#
#   snakemake gan                                     one domain: runs, tables, figures
#   snakemake all --configfile config/smoke.yaml      everything, at another scale
#   snakemake all -n --configfile config/paper.yaml   the plan of the paper's scale, as far as it can run here
#
# What is measured stands in config/, how it is run in profiles/. Rules call `python -m reproductions`, which works alone.


include: "workflow/rules/reading.smk"


configfile: CONFIG_FILE


report: "workflow/report/overview.rst"


include: "workflow/rules/common.smk"
# With runs=finished nothing trains, whatever is newer than what: runs are then files that are there, which no rule makes.
if not AVAILABLE.finished_only:

    include: "workflow/rules/runs.smk"


include: "workflow/rules/tables.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/simulated.smk"
include: "workflow/rules/tracking.smk"
include: "workflow/rules/targets.smk"
