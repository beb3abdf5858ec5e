"""What a configuration may say, and the one line that is said of what it may not."""

import copy
import itertools
import os
import re
from pathlib import Path

import pytest
import yaml
from checkouts import ROOT

from reproductions.suite.study import configuration, core_yaml, names, requested
from reproductions.suite.study.names import RunName
from reproductions.suite.study.registry import ConfigError

SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.yaml"
TOY = {"methods": ["pbt"], "seeds": [0]}
BASE = {"scale": "smoke", "experiments": {"toy": TOY}, "demo": {"toy": TOY}, "variants": {}}


def updated(config, changes):
    """As Snakemake lays one file over another."""
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(config.get(key), dict)
        config[key] = updated(config[key], value) if both else value
    return config


def check(config):
    configuration.complete(config, SCHEMA)
    requested.RequestedRuns(config).check_all()


def refused(changes):
    with pytest.raises(ConfigError) as caught:
        check(updated(copy.deepcopy(BASE), changes))
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_complete_configuration_names_domains_and_problems():
    """What was left to be understood: an experiment's domain is its name, its problems are those of the scale."""
    config = copy.deepcopy(BASE)
    configuration.complete(config, SCHEMA)
    assert config["experiments"]["toy"] == {**TOY, "domain": "toy", "problems": ["quadratic"]}


def test_what_the_command_line_says_is_yaml_and_lies_over_the_files(tmp_path):
    """Snakemake itself takes true, and the numbers in a mapping, for text."""
    path = tmp_path / "base.yaml"
    path.write_text(yaml.safe_dump(BASE))
    said = ["assume_requirements=true", "experiments={toy: {seeds: [3]}}", "variants={a: {task.lr: 1e-3}}"]
    config = configuration.overlaid([path], said)
    assert config["assume_requirements"] is True
    assert config["experiments"]["toy"] == {"methods": ["pbt"], "seeds": [3]}
    assert config["variants"]["a"] == {"task.lr": 0.001}
    for wrong in (["scale=smoke", "scale=smoke"], ["threads={toy: 010}"], ["threads={toy: 1"]):
        with pytest.raises(ConfigError, match="--config '"):
            configuration.overlaid([path], wrong)


@pytest.mark.parametrize(
    ("run", "cores"),
    [
        (RunName("laptop", "toy", "quadratic", "pbt"), 1),  # members one after another
        (RunName("laptop", "classifier", "fashion_mnist", "pbt"), 1),
        (RunName("laptop", "gan", "fashion_mnist", "pbt"), 12),  # a member each; Snakemake has no more than there are
        (RunName("laptop", "gan", "fashion_mnist", "pbt", "small"), 3),
        (RunName("smoke", "gan", "fashion_mnist", "pbt"), 1),  # the scale's workers
        (RunName("paper", "gan", "cifar10", "pbt"), 45),
        (RunName("laptop", "atari", "amidar", "pbt"), 5),  # the configuration's threads
        (RunName("laptop", "translation", "catalogues", "pbt"), 1),  # the configuration's engine
    ],
)
def test_a_run_has_the_cores_that_it_has_a_use_for(run, cores):
    """By its domain's scale and its own population: no configuration lists domains."""
    config = {**copy.deepcopy(BASE), "scale": run.scale, "threads": {"atari": 5}}
    config["execution"] = {"translation": {"engine": "serial"}}
    config["variants"] = {"small": {"population": 3}}
    assert requested.RequestedRuns(config).cores(run) == cores


@pytest.mark.parametrize("name", ["smoke", "laptop", "paper", "card"])
def test_every_configuration_of_the_repository_can_be_run(name):
    """Its runs have settings, its experiments compare equal budgets or say that they do not, its figures can be drawn."""
    files = [ROOT / "config" / "config.yaml", ROOT / "config" / f"{name}.yaml"]
    config = configuration.overlaid(files)
    check(config)
    asked = requested.RequestedRuns(config)
    for section in requested.SECTIONS:
        for experiment in config[section]:
            asked.check_figures(section, experiment, asked.runs(section, experiment))


#: An experiment of a domain, beside those of BASE, in braces that are still open.
ASKED = "{experiments: {%s: {methods: [pbt], seeds: [0]}}, "


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("scael: smoke", ["config:", "scael"]),
        ("scale: huge", ["config.scale: 'huge' must be one of"]),
        ("scale: null", ["config.scale: null must be one of"]),
        ("experiments: null", ["config.experiments: null must be a mapping"]),
        ("experiments: [toy]", ["config.experiments", "must be a mapping"]),
        ("experiments: {toy: null}", ["config.experiments.toy: null must be a mapping"]),
        ("experiments: {toy: {seed: [0]}}", ["config.experiments.toy", "'seed'"]),
        ("experiments: {toy: {domain: mars}}", ["config.experiments.toy.domain: 'mars' must be one of", "'toy'"]),
        ("experiments: {toy: {question: 1}}", ["toy.question: 1 must be text"]),
        ("experiments: {toy: {budgets_differ: 'yes'}}", ["toy.budgets_differ: 'yes' must be true or false"]),
        ("experiments: {1: {}}", ["experiments: the key 1 must be text"]),
        ("experiments: {yes: {}}", ["experiments: yes is read as another value by some readers"]),
        (
            "experiments: {all: {domain: toy, methods: [pbt], seeds: [0]}}",
            ["config.experiments.all", "another target's"],
        ),
        *(
            (f"experiments: {{{name}: {{domain: toy, methods: [pbt], seeds: [0]}}}}", [name, "another target's"])
            for name in ("figures_of_domain", "paper", "stragglers", "simulated_run", "verdicts", "tracking")
        ),
        ("demo: {paper: {domain: toy, methods: [pbt], seeds: [0]}}", ["config.demo.paper", "another target's"]),
        ("demo: null", ["config.demo: null must be a mapping"]),
        ("demo: {gan: {methods: [grid], seeds: [0]}}", ["config.demo.gan.methods: 'grid' must be one of", "'pbt'"]),
        ("threads: {toy: 0}", ["config.threads.toy: 0", "minimum of 1"]),
        ("threads: {toy: true}", ["config.threads.toy: true must be a whole number"]),
        ("threads: {toy: 2}", ["config.threads.toy: 2 must be 1: the engine 'serial' has one worker"]),
        ("threads: {mars: 1}", ["config.threads: 'mars' must be one of"]),
        ("execution: {mars: {engine: serial}}", ["config.execution: 'mars' must be one of"]),
        ("execution: {gan: {}}", ["config.execution.gan:"]),
        ("execution: {gan: {workers: 2}}", ["config.execution.gan:", "workers"]),
        ("execution: {gan: {engine: fast}}", ["config.execution.gan.engine: 'fast' must be one of"]),
        ("execution: {gan: {engine: simulated}}", ["config.execution.gan.engine: 'simulated' must be one of"]),
        (
            ASKED % "gan" + "execution: {gan: {device: gpu}}}",
            ["config.execution.gan: device = 'gpu' must be cpu, mps, cuda"],
        ),
        (
            ASKED % "gan" + "execution: {gan: {engine: batched, device: 'cuda:0,cuda:1'}}}",
            ["config.execution.gan: device = 'cuda:0,cuda:1' needs engine = 'processes'"],
        ),
        (
            ASKED % "translation" + "execution: {translation: {engine: batched}}}",
            ["config.execution.translation:", "no population form"],
        ),
        ("execution: {toy: {device: cuda}}", ["config.execution.toy: device = 'cuda': its task computes on cpu alone"]),
        (
            ASKED % "gan" + "execution: {gan: {engine: batched}}, threads: {gan: 2}}",
            ["config.threads.gan: 2 must be 1: the engine 'batched' has one worker"],
        ),
        ("assume_requirements: 1", ["config.assume_requirements: 1 must be true or false"]),
        ("assume_requirements: 'yes'", ["config.assume_requirements: 'yes' must be true or false"]),
        ("variants: null", ["config.variants: null must be a mapping"]),
        ("variants: {a: null}", ["config.variants.a: null must be a mapping"]),
        ("variants: {a: {1: 2}}", ["variants.a: the key 1 must be text"]),
        ("variants: {a: {steps: 2020-01-01}}", ["variants.a.steps: 2020-01-01 is read as another"]),
    ],
)
def test_a_wrong_key_or_type_is_one_line_with_the_key_the_value_and_the_rule(text, words, tmp_path):
    """At every level, in YAML's words."""
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        check(updated(copy.deepcopy(BASE), configuration.read(path)))
    message = str(caught.value).removeprefix(f"{path}: ")
    for word in words:
        assert word in message


@pytest.mark.parametrize("seeds", ["null", "[]", "0", "['0']", "[true]", "[1.0]", "[-1]", "[0, 0]", "[1e3]", "[.nan]",
                                   "[null]", "[[0]]", "{a: 0}", "[9223372036854775808]"])  # fmt: skip
def test_seeds_are_distinct_whole_numbers_that_other_tools_can_hold(seeds):
    """Neither text nor true nor 1.0, nor more than 64 bits."""
    assert "config.experiments.toy.seeds" in refused(yaml.safe_load(f"experiments: {{toy: {{seeds: {seeds}}}}}"))


@pytest.mark.parametrize("methods", ["null", "[]", "pbt", "[1]", "[pbt, pbt]", "['']", "[':x']", "['pbt:']",
                                     "['pbt:default']", "['pbt:a:b']", "['pbt:x']", "[magic]", "['$(touch x)']"])  # fmt: skip
def test_methods_are_those_of_the_domain_with_variants_that_are_there(methods):
    """Also where a colon leads nowhere, or to the name of runs without overrides."""
    assert "config.experiments.toy.methods" in refused(yaml.safe_load(f"experiments: {{toy: {{methods: {methods}}}}}"))


ODD = [
    "",
    " ",
    "a b",
    "..",
    "a..b",
    ".a",
    "-a",
    "--help",
    "a/b",
    "../a",
    "/a",
    "a\n",
    "a;b",
    "$(touch x)",
    "{a}",
    "'",
    '"',
    "é",
    "a" * 65,
]


@pytest.mark.parametrize("name", ODD)
def test_a_name_that_could_be_anything_but_a_name_is_refused(name):
    """Names become folders, targets and words of commands."""
    run = {"domain": "toy", **TOY}
    for changes in (
        {"variants": {name: {}}},
        {"variants": {f"x:{name}": {}}},
        {"experiments": {name: run}},
        {"demo": {name: run}},
        {"experiments": {"toy": {"figures": [name]}}},
        {"experiments": {"toy": {"problems": [name]}}},
        {"variants": {"a": {f"{name}=": 1}}},
    ):
        message = refused(changes)
        assert message.startswith("config.")
        assert " must be " in message


def test_the_name_of_runs_without_overrides_is_taken():
    """Two names for one run would be two jobs for one folder."""
    assert "'default' must be another name" in refused({"variants": {"default": {}}})


@pytest.mark.parametrize(
    ("variant", "words"),
    [
        ({"search.exploit": {"kind": "truncation", "fraction": 7}}, "search.exploit.fraction = 7"),
        ({"search.exploit.fractoin": 0.2}, "search.exploit.fractoin: no such key"),
        ({"serach.ready": 5}, "serach: no such key"),
        ({"population": 0}, "population = 0"),
        ({"population": "many"}, "population = 'many'"),
        ({"population": None}, "population = None"),
        ({"steps": "$(touch x)"}, "steps = '$(touch x)'"),
        ({"interval": 1_000_000}, "interval = 1000000"),
        ({"search": 3}, "search = 3"),
        ({"search.initial": [{"theta": 1}]}, "'theta'"),
        ({"engine": "serial"}, "engine = 'serial': how a run is carried out is no setting of it: use --engine"),
        ({"seed": 1}, "seed = 1"),
        ({"variant": "x"}, "variant = 'x'"),
        ({"domain": "gan"}, "domain"),
        ({"task.lr": -1}, "task.lr = -1"),
        ({"task.nosuch": 1}, "task.nosuch = 1: no such key"),
        ({"task": {"nosuch": 1}}, "task.nosuch = 1: no such key"),
    ],
)
def test_a_variant_that_cannot_be_run_is_refused_when_it_is_planned(variant, words):
    """Not by its job: the line names the variant, the key and the value."""
    message = refused({"variants": {"v": variant}, "experiments": {"toy": {"methods": ["pbt", "pbt:v"]}}})
    assert message.startswith("config.variants.v: ")
    assert words in message


def test_names_scales_sections_and_limits_of_the_schema_are_those_of_the_code():
    """They stand in a file of YAML once more, which nothing but this holds to them."""
    schema = core_yaml.read(SCHEMA)
    assert schema["properties"]["scale"]["enum"] == list(names.SCALES)
    assert set(names.SECTIONS) <= set(schema["required"])
    assert schema["properties"]["threads"]["additionalProperties"]["maximum"] == requested.MOST_CORES
    pattern = re.compile(schema["$defs"]["name"]["pattern"])
    samples = ["".join(letters) for length in range(5) for letters in itertools.product("a0._-é ", repeat=length)]
    for sample in [*samples, "a" * names.LONGEST_VARIANT, "a" * (names.LONGEST_VARIANT + 1)]:
        ours = len(sample) <= names.LONGEST_VARIANT and re.fullmatch(names.WORD, sample)
        assert bool(pattern.fullmatch(sample)) == bool(ours), sample


def test_a_variant_cannot_be_another_problem():
    """Its runs would be named, drawn and normalised as those of a problem that they are not of."""
    atari = {"methods": ["pbt:pong"], "seeds": [0]}
    message = refused({"variants": {"pong": {"task.game": "pong"}}, "experiments": {"atari": atari}})
    assert message.startswith("config.variants.pong: task.game = 'pong': makes another problem than 'ms_pacman'")


@pytest.mark.parametrize("variant", [{"search.mode": "backwards"}, {"search.lineage": "elsewhere.json"}])
def test_a_replay_that_cannot_be_run_is_refused_before_its_schedule_is_there(variant):
    """Its own settings need no schedule; the schedule is PBT's with the same seed."""
    message = refused({"variants": {"v": variant}, "experiments": {"toy": {"methods": ["pbt", "replay:v"]}}})
    assert message.startswith("config.variants.v: search.")


def test_a_replay_needs_the_runs_of_pbt_that_it_replays():
    """In the same experiment or in another one of the same study, with every seed."""
    alone = {"domain": "toy", "methods": ["replay"], "seeds": [0, 1]}
    message = refused({"experiments": {"again": alone}})
    assert message.startswith("config.experiments.again.methods: 'replay' needs 'pbt' of toy on quadratic with seed 1")
    config = updated(copy.deepcopy(BASE), {"experiments": {"toy": {"seeds": [0, 1]}, "again": alone}})
    check(config)


def test_an_experiment_that_compares_unequal_budgets_says_so():
    """Else its table would refuse, after all of its runs."""
    changes = {"variants": {"wide": {"population": 4}}, "experiments": {"toy": {"methods": ["pbt", "pbt:wide"]}}}
    message = refused(changes)
    assert message.startswith("config.experiments.toy.methods: pbt:wide has 800 member-steps and pbt 400")
    changes["experiments"]["toy"]["budgets_differ"] = True
    check(updated(copy.deepcopy(BASE), changes))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "must be a mapping of keys to values, not null"),
        (b"- a\n", 'not ["a"]'),
        (b"text", "not 'text'"),
        (b"scale: [\n", "not valid YAML"),
        (b"a:\n\tb: 1\n", "not valid YAML"),
        (b"a: !!python/object/apply:os.system [true]\n", "a: the tag !!python/object/apply:os.system is not taken"),
        (b"a:\n  b: [1, 010]\n", "a.b.1: 010 is read as another value by some readers"),
        (b"a: {2020-01-01: 1}\n", "a: 2020-01-01 is read as another value"),
        (b"a: {null: 1}\n", "a: the key null must be text"),
        (b"a: {? [1] : 1}\n", "a: the key that is a list or a mapping must be text"),
        (b"a: &a {b: [*a]}\n", "a.b.0: it must not hold itself"),
        (b"a: &a [1]\nb: *c\n", "undefined alias 'c' in line 2"),
        (b"a: 1\n---\na: 2\n", "another document in line 2"),
        (b"a: " + b"[" * 100_000, "nested more than 50 deep"),
        (b"a: " + b"[" * 60 + b"]" * 60, "nested more than 50 deep in line 1"),
        (b"a: 1\0\n", "character 5 must be one that can be printed"),
        (b"a: .nan\n", "a = nan must be a finite number"),
        (b"a: 1e999\n", "a = inf must be a finite number"),
        (b"a: !!int 017\n", "a: 017 is read as another value"),
        (b"x" * 2**23, "must be at most 4194304 bytes"),
        (b"scale: \xff\n", "not UTF-8"),
        (b"variants:\n  a: {}\n  b: {}\n  a: {steps: 1}\n", "the key 'a' stands twice, again in line 4"),
        (b"a: " + b"9" * 5000, "must be a number of at most 64 bits"),
    ],
)
def test_a_file_that_is_no_configuration_is_one_line_with_its_name(content, words, tmp_path):
    """Whatever is in it, also what YAML would take without a word."""
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        configuration.read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_file_is_no_configuration(tmp_path):
    """Neither a folder nor a pipe or a device, which would never end."""
    for name, make in {
        "folder": Path.mkdir,
        "pipe": os.mkfifo,
        "zeros": lambda path: path.symlink_to("/dev/zero"),
    }.items():
        make(tmp_path / name)
        with pytest.raises(ConfigError, match=f"{name}: must be a regular file"):
            configuration.read(tmp_path / name)
    with pytest.raises(ConfigError, match="No such file"):
        configuration.read(tmp_path / "nowhere.yaml")


def test_overrides_come_out_of_the_command_line_as_they_went_in():
    """Whatever they are: the values are JSON, which YAML reads back."""
    values = {
        "a": "it's",
        "b": None,
        "c": [1, {"d": True, "1": "1"}],
        "e": 1e-5,
        "f": "line\nfeed\r\t\x00",
        "g": "ü \U0001f600 {x}: #",
        "h": [{"lr": 1e-5}, -1e22, 0.1, 1e-7, "1e-5", "010", "null", "2020-01-01"],
        "i": "\u2028 \x85 \ufeff",
        "j": "",
    }
    for name, override in zip(values, requested.overrides(values), strict=True):
        key, _, value = override.partition("=")
        assert key == name
        assert "\n" not in override
        assert core_yaml.parse(value) == values[name]
