import math
from collections import Counter

import pytest
from played import play

from baselines import Annealed, Fixed, Noam, RandomSchedules, RandomSearch, Scheduled
from baselines.random_schedules import DECAYS, Shape
from pbt_core import PBT, Plan, Serial, Stream
from pbt_core.decisions import first_settings
from pbt_core.seeds import Streams
from pbt_core.testing import Hill, check_method
from reproductions.suite.study import descriptions, registry
from reproductions.suite.study.examples import EXAMPLES
from reproductions.suite.study.kinds import METHOD
from reproductions.suite.study.settings import resolve


def build(description):
    return descriptions.build(METHOD, description, "search")


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_kind_of_method_keeps_the_contract(name):
    """The conformance kit over the table of all methods."""
    check_method(build(EXAMPLES[name]))


@pytest.mark.parametrize("name", [name for name in EXAMPLES if "schedules" not in EXAMPLES[name]])
@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_population_without_a_finite_score_stops_no_method(name, score):
    """The budget is used: by new draws from the prior, or as random search does it, by going on."""
    ledger = play(build(EXAMPLES[name]), size=4, steps=120, seed=0, gain=lambda h, step: score, space=Hill().space)
    assert sum(e.steps for e in ledger.evaluations) == 4 * 120
    settings = {e.hyperparameters["lr"] for e in ledger.evaluations}
    assert len(settings) == 4 if name == "random search" else len(settings) > 8


@pytest.mark.parametrize("domain", registry.domains())
def test_every_method_of_every_domain_keeps_the_contract_at_every_scale(domain):
    """What the sweeps describe can be built, starts within the space, and decides by the rules, be it of fewer members."""
    sweep = registry.sweep(domain)
    for scale in sweep.SCALES:
        for method in {**sweep.METHODS, **sweep.SCALES[scale].methods}:
            settings = resolve(domain, method, scale=scale)
            built = settings.build_method()
            space = registry.space(domain, settings.problem, settings.task)
            first_settings(built, space, settings.population, Streams(0))
            few = min(settings.population, max(20, len(getattr(built, "initial", ()))))
            check_method(built, space, size=few, rounds=2, interval=settings.interval)


def test_random_search_begins_with_the_members_that_pbt_begins_with(tmp_path):
    """Equal seeds make paired comparisons."""
    plan = Plan(population=5, steps=10, interval=10, seed=8)
    runs = [
        Serial().run(Hill(), m, plan, tmp_path / str(i)).events for i, m in enumerate((PBT(ready=10), RandomSearch()))
    ]
    evaluated = [[e for e in events if e["event"] in ("joined", "evaluated")] for events in runs]
    assert evaluated[0] == evaluated[1]


def test_schedules_change_hyperparameters_at_the_evaluations_and_are_events(tmp_path):
    """Constant, then exponential to a hundredth at the end; the events say what was in force."""
    values = {"lr": 0.5, "decay": 0.5}
    method = Scheduled((Annealed(values, hold=20, end=40), Fixed(values)))
    events = Serial().run(Hill(), method, Plan(population=3, steps=40, interval=10), tmp_path).events
    lrs = {
        m: [e["hyperparameters"]["lr"] for e in events if e["event"] == "evaluated" and e["member"] == m]
        for m in range(3)
    }
    assert lrs[0] == pytest.approx([0.5, 0.5, 0.5, 0.05])
    assert lrs[1] == [0.5] * 4
    assert lrs[2] == lrs[0]
    assert sum(e["event"] == "changed" for e in events) == 2


def test_linear_and_exponential_decay_meet_at_both_ends():
    """Half-way the linear one is higher."""
    linear, exponential = (Annealed({"lr": 1.0}, 10, 110, decay) for decay in ("linear", "exponential"))
    assert [linear.at(s)["lr"] for s in (0, 10, 110, 500)] == pytest.approx([1, 1, 0.01, 0.01])
    assert [exponential.at(s)["lr"] for s in (0, 10, 110, 500)] == pytest.approx([1, 1, 0.01, 0.01])
    assert linear.at(60)["lr"] == pytest.approx(0.505)
    assert exponential.at(60)["lr"] == pytest.approx(0.1)


def test_a_schedule_that_leaves_the_bounds_is_an_error_not_a_clip(tmp_path):
    """What is reported is what ran."""
    method = Scheduled((Annealed({"lr": 0.01, "decay": 0.05}, 0, 20),))
    with pytest.raises(ValueError, match=r"'decay' = .* must be a number in"):
        Serial().run(Hill(), method, Plan(population=1, steps=30, interval=10), tmp_path)


def test_an_annealed_schedule_can_leave_values_alone():
    """A learning rate decays, a cost stays; a name that is none is an error."""
    schedule = Annealed({"lr": 1.0, "cost": 0.5}, hold=0, end=10, decay="linear", final=0.5, only=("lr",))
    assert schedule.at(5) == {"lr": 0.75, "cost": 0.5}
    with pytest.raises(ValueError, match="'rate' is not the name of a real value"):
        Annealed({"lr": 1.0}, hold=0, end=10, only=("rate",))


def test_noam_rises_to_its_peak_and_falls_with_the_root_of_the_steps():
    """Read half an interval ahead: what holds from 0 to 20 is the value at 10."""
    schedule = Noam({"decay": 0.1}, peak=2.0, warmup=40, lead=10)
    assert schedule.at(0) == {"decay": 0.1, "lr": 0.5}
    assert schedule.at(30)["lr"] == 2.0
    assert schedule.at(150)["lr"] == 1.0
    with pytest.raises(ValueError, match="warmup = 0"):
        Noam({}, peak=1.0, warmup=0, lead=1)


def test_random_schedules_begin_as_random_search_does_and_only_what_is_named_decays(tmp_path):
    """Paired with it by the seed; every schedule is its member's own, monotone, and stays within the bounds."""
    space, plan = Hill().space, Plan(population=12, steps=60, interval=10, seed=8)
    methods = (RandomSearch(), RandomSchedules(steps=60, annealed=("lr",)))
    runs = [Serial().run(Hill(), method, plan, tmp_path / str(i)).events for i, method in enumerate(methods)]
    began, scheduled = [[e["hyperparameters"] for e in events if e["event"] == "joined"] for events in runs]
    assert began == scheduled
    used = {m: [e for e in runs[1] if e["event"] == "evaluated" and e["member"] == m] for m in range(12)}
    rates = [[e["hyperparameters"]["lr"] for e in used[m]] for m in range(12)]
    assert all(rate == sorted(rate, reverse=True) and rate[-1] >= space["lr"].low for rate in rates)
    assert len({tuple(rate[i] / rate[0] for i in range(6)) for rate in rates}) > 6
    assert all(e["hyperparameters"]["decay"] == began[m]["decay"] for m in used for e in used[m])


@pytest.mark.parametrize("decay", DECAYS)
def test_a_shape_holds_then_falls_to_its_final_share(decay):
    """At half of the way a cosine and a line are at the mean of both ends, an exponential at their geometric mean."""
    shape = Shape(decay, hold=0.2, final=0.04)
    assert shape.factor(0.0) == shape.factor(0.2) == 1.0
    middle = {"constant": 1.0, "linear": 0.52, "exponential": 0.2, "cosine": 0.52}[decay]
    assert shape.factor(0.6) == pytest.approx(middle)
    assert shape.factor(1.0) == pytest.approx(1.0 if decay == "constant" else 0.04)


def test_random_schedules_draw_each_shape_about_equally_often():
    """Held for at most half of the training; what is left is log-uniform."""
    method = RandomSchedules(steps=100, annealed=("lr",))
    shapes = [method.shape(member, {"lr": 0.1}) for member in range(2000)]
    counts = Counter(shape.decay for shape in shapes)
    assert set(counts) == set(DECAYS)
    assert min(counts.values()) > 400
    assert max(shape.hold for shape in shapes) <= 0.5
    assert sum(shape.final < 0.1 for shape in shapes) == pytest.approx(1000, abs=100)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"annealed": ()}, r"annealed = \(\) must be one or more names"),
        ({"final": 0.0}, r"final = 0.0 must be in \(0, 1\]"),
        ({"steps": 0}, "steps = 0 must be at least 1"),
        ({"annealed": ("rate",)}, "'rate' is not the name of a real value"),
    ],
)
def test_random_schedules_that_cannot_be_are_refused(changes, rule):
    """Before any work."""
    with pytest.raises(ValueError, match=rule):
        RandomSchedules(**{"steps": 10, "annealed": ("lr",), **changes}).start(Hill().space, 2, Stream(0).generator())
