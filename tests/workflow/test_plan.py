import pytest
from checkouts import ROOT, command, configure, copied, snakemake

from reproductions.suite.planning.costs import Benchmark, Cost, Costs, past_costs, wall_seconds
from reproductions.suite.planning.forecast import budgets, lines, table
from reproductions.suite.planning.jobs import Job, jobs
from reproductions.suite.study.names import RunName

TARGET = "results/smoke/tables/toy"


def named(text, scale="s"):
    return RunName(scale, *text.split("/"))


def past(name, cpu_s, wall_s=None, member_steps=100):
    return Benchmark(named(name), member_steps, cpu_s, cpu_s if wall_s is None else wall_s)


def no_budget():
    raise AssertionError("a better match was there")


def test_the_cost_of_a_run_is_taken_from_the_runs_most_like_it():
    """Its own method and variant, else its problem, else its domain by member-steps."""
    costs = Costs({"reference": [past("d/p/m/v", 10), past("d/p/m/v", 20), past("d/p/other/v", 90)]})
    assert costs.of(named("d/p/m/v"), no_budget) == Cost(15, 15, "reference, this method")
    assert costs.of(named("d/p/m/wide"), no_budget) == Cost(40, 40, "reference, this problem")
    assert costs.of(named("d/q/m/v"), lambda: 1000) == Cost(400, 400, "reference, by member-steps")


def test_what_nothing_is_known_of_has_no_cost():
    """Neither of another domain nor where the size of the run cannot be told."""
    costs = Costs({"reference": [past("d/p/m/v", 10)]})
    assert costs.of(named("e/p/m/v"), lambda: 1000) is None
    assert costs.of(named("d/q/m/v"), lambda: None) is None


def test_runs_of_this_machine_are_believed_before_those_of_another():
    """But a run of the same method elsewhere tells more than one of another method here."""
    costs = Costs(
        {"here": [past("d/p/m/v", 10), past("d/p/n/v", 30)], "reference": [past("d/p/m/v", 99), past("d/p/o/v", 7)]}
    )
    assert costs.of(named("d/p/m/v"), no_budget) == Cost(10, 10, "here, this method")
    assert costs.of(named("d/p/o/v"), no_budget) == Cost(7, 7, "reference, this method")
    assert costs.of(named("d/p/x/v"), no_budget) == Cost(20, 20, "here, this problem")


@pytest.mark.parametrize(
    ("runs", "cores", "expected"),
    [
        ([], 2, 0),
        ([(10, 10)] * 4, 2, 20),  # serial runs side by side
        ([(19.5, 10)] * 4, 2, 40),  # runs of two workers one after the other
        ([(19.5, 10)] * 4, 8, 10),  # and side by side where there is room
        ([(19.5, 10)] * 4, 1, 80),
        ([(10, 10), (100, 100)], 2, 100),  # nothing is done before its longest run
        ([(20.5, 10)], 2, 10.25),  # clocks are not exact: this is no run for three cores
    ],
)
def test_the_wall_time_fits_runs_onto_the_cores(runs, cores, expected):
    """A run takes as many cores as it has kept busy."""
    assert wall_seconds([Cost(cpu, elapsed, "") for cpu, elapsed in runs], cores) == expected


def test_the_kept_runs_tell_what_a_comparison_costs(tmp_path):
    """Those of the laptop scale; none were kept of the paper's. Runs that were made or restored here would come first."""
    (tmp_path / "reference").symlink_to(ROOT / "results" / "reference")
    cost = past_costs(tmp_path, "laptop").of(named("gan/fashion_mnist/pbt/default", "laptop"), no_budget)
    assert cost.source == "reference, this method"
    assert 30 < cost.cpu_s < 3000
    assert past_costs(tmp_path, "paper").of(named("gan/cifar10/pbt/default", "paper"), no_budget) is None


def test_the_size_of_a_run_is_that_of_its_settings_and_variant(tmp_path):
    """Later files win, as in Snakemake; a variant that no file names has no known size, nor has a replay."""
    (tmp_path / "a.yaml").write_text("variants: {short: {steps: 20}, other: {}}")
    (tmp_path / "b.yaml").write_text("variants: {short: {steps: 30}}")
    budget = budgets([tmp_path / "a.yaml", tmp_path / "b.yaml"])
    assert budget(named("toy/quadratic/pbt/default", "laptop")) == 2 * 200
    assert budget(named("toy/quadratic/pbt/short", "laptop")) == 2 * 30
    assert budget(named("toy/quadratic/pbt/unheard_of", "laptop")) is None
    assert budget(named("toy/quadratic/replay/default", "laptop")) is None


FOLDER = "results/smoke/runs/toy/quadratic/pbt/default/seed-0/"


def snakemakes(*rows):
    lines = ["output_file\tdate\trule\tlog-file(s)\tstatus\tplan"]
    return "\n".join(
        ["printed by a rule file", *lines, *("\t".join((f, "-", rule, "-", s, p)) for f, rule, s, p in rows)]
    )


def test_the_files_of_one_run_are_one_job_with_all_their_reasons():
    """A file that Snakemake has nothing against may still be made anew, because its inputs are."""
    planned_jobs = jobs(
        snakemakes(
            (f"{FOLDER}events.parquet", "run", "missing", "update pending"),
            (f"{FOLDER}summary.json", "run", "params changed", "update pending"),
            ("results/smoke/tables/toy", "table", "ok", "update pending"),
            ("figures/smoke/toy", "figure", "updated input files", "update pending"),
            ("results/smoke/tracked", "track", "ok", "no update"),
        )
    )
    assert [(job.rule, job.why) for job in planned_jobs] == [
        ("run", "missing, the settings changed"),
        ("table", "inputs made anew"),
        ("figure", "newer inputs"),
        ("track", ""),
    ]
    assert planned_jobs[0].run == named("toy/quadratic/pbt/default", "smoke")
    assert planned_jobs[1].run is None


def test_a_run_that_was_begun_is_told_from_one_that_was_not(tmp_path):
    """It goes on where it stopped."""
    (tmp_path / FOLDER / "state").mkdir(parents=True)
    (tmp_path / FOLDER / "state" / "events.jsonl").touch()
    (job,) = jobs(snakemakes((f"{FOLDER}summary.json", "run", "missing", "update pending")), tmp_path)
    assert job.why == "begun, not finished"
    printed = table([job], lines([job], lambda scale: Costs({}), lambda run: None), 2)
    assert "counted in full" in printed


def test_totals_say_where_a_cost_is_missing():
    """What is known is summed and marked as a lower bound; what is unknown is counted."""
    planned = [Job("run", (f"results/s/runs/{name}/v/seed-0/summary.json",), "missing") for name in ("d/p/m", "e/p/m")]
    costs = Costs({"reference": [past("d/p/m/v", 7200)]})
    printed = table(planned, lines(planned, lambda scale: costs, lambda run: None), 2).splitlines()
    assert printed[1].split()[:8] == ["d", "p", "m", "(v)", "1", "0", "1", "2.00"]
    assert "unknown" in printed[2]
    assert printed[3].split() == ["total", "2", "0", "2", ">2.00", ">2.00"]
    assert printed[5].startswith("the cost of 1 of the runs is unknown")
    assert printed[-1] == "2 of 2 jobs to do"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy with a configuration of two toy runs a seed."""
    copy = copied(tmp_path_factory.mktemp("checkout"))
    study(copy, [0])
    return copy


def study(checkout, seeds, steps=20):
    # Runs of different lengths side by side make no fair table, which is not what is tested here.
    configure(checkout, ["pbt", "grid:short"], seeds, {"short": {"steps": steps}}, budgets_differ=True)


def planned(checkout, *targets, **options):
    return command("reproductions", "plan", *targets, cwd=checkout, **options)


def test_a_plan_follows_a_study_from_nothing_to_done_and_to_changed_sources(checkout):
    """Real dry runs: what is missing, what was done, what a further seed costs, and why anything would run again."""
    printed = planned(checkout, TARGET).stdout
    assert not (checkout / "results").exists()
    assert "pbt" in printed
    assert printed.count("unknown") >= 4
    assert "and 1 job of rule table, not measured: missing (1)" in printed
    assert printed.splitlines()[-1] == "3 of 3 jobs to do"

    snakemake(TARGET, cwd=checkout)
    assert planned(checkout, TARGET).stdout.splitlines()[-1] == "nothing to be done"

    study(checkout, [0, 1])
    printed = planned(checkout, TARGET).stdout
    assert printed.count("here, this method") == 2
    assert printed.count("missing (1)") == 2
    assert "not measured: other inputs (1)" in printed
    assert printed.splitlines()[-1] == "3 of 5 jobs to do"

    study(checkout, [0], steps=30)
    printed = planned(checkout, TARGET).stdout
    assert printed.count("the settings changed (1)") == 1
    assert printed.splitlines()[-1] == "2 of 3 jobs to do"

    study(checkout, [0])
    with (checkout / "reproductions" / "toy" / "task.py").open("a") as source:
        source.write("# edited\n")
    assert planned(checkout, TARGET).stdout.splitlines()[-1] == "nothing to be done"
    with (checkout / "reproductions" / "toy" / "task.py").open("a") as source:
        source.write("EDITED = True\n")
    printed = planned(checkout, TARGET).stdout
    assert printed.count("the sources changed (1)") == 2
    assert "not measured: inputs made anew (1)" in printed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nosuch"], ["nosuch", "No rule to produce"]),
        (["toy", "--configfile", "nowhere.yaml"], ["nowhere.yaml"]),
        (["toy", "--config", "scale"], ["--config 'scale'", "KEY=VALUE"]),
        (["toy", "--config", "=laptop"], ["--config '=laptop'", "KEY=VALUE"]),
    ],
)
def test_an_unknown_target_is_one_clear_line_and_exit_code_2(checkout, arguments, words):
    """Nothing else is printed."""
    done = command("reproductions", "plan", *arguments, cwd=checkout, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: ")
    for word in words:
        assert word in line


def test_a_wrong_configuration_keeps_its_own_words(checkout):
    """The line that Snakemake would print, with the key and the value."""
    (checkout / "wrong.yaml").write_text("scale: huge\n")
    done = planned(checkout, "toy", "--configfile", "wrong.yaml", check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: config.scale: 'huge'")


def test_the_smoke_scale_of_the_repository_can_be_planned():
    """Every domain that it names, and all of its runs."""
    smoke = ROOT / "config" / "smoke.yaml"
    lines = command("reproductions", "plan", "all", "--configfile", smoke, cwd=ROOT).stdout.splitlines()
    assert lines[0].split()[:3] == ["domain", "problem", "method"]
    assert {"toy", "gan", "atari", "translation"} <= {line.split()[0] for line in lines}
    assert any(line.startswith("total") for line in lines)
