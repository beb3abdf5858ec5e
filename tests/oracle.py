"""A readable twin of the driver: Algorithm 1 in a plain synchronous loop, without files, processes or resumption."""

from pbt_core import Clone, Continue, Member, Population, Restart, Stream


def run(task, method, plan):
    """The (step, member, score, hyperparameters) of every evaluation, and the (step, member, parent) of every clone."""
    streams = Stream(plan.seed)
    settings = method.start(task.space, plan.population, streams.child("start").generator())
    hyperparameters = [dict(h) for h in settings]
    states = [task.init(streams.child("init", m, 0), h) for m, h in enumerate(hyperparameters)]
    histories = [()] * plan.population
    evaluations, clones, step = [], [], 0
    while step < plan.steps:
        start, step = step, min(step + plan.interval, plan.steps)
        members = {}
        for m, h in enumerate(hyperparameters):
            states[m] = task.step(states[m], h, step - start, streams.child("step", m, start))
            score = task.evaluate(states[m], streams.child("evaluate", m, step))
            histories[m] = (*histories[m], score.value)[-20:]
            members[m] = Member(m, dict(h), step, start, score.value, score.samples, histories[m])
            evaluations.append((step, m, score.value, dict(h)))
        if step == plan.steps:
            break
        view = Population(members, task.space)
        saved = [task.save(state) for state in states]
        saved = [type(c)({name: array.copy() for name, array in c.tensors.items()}, c.json) for c in saved]
        for m in members:
            match method.decide(members[m], view, streams.child("decide", m, step).generator()):
                case Clone(parent, changed, weights):
                    clones.append((step, m, parent))
                    hyperparameters[m] = dict(changed)
                    if weights:
                        states[m] = task.load(saved[parent], changed)
                        histories[m] = members[parent].history
                case Restart(changed):
                    hyperparameters[m] = dict(changed)
                    states[m] = task.init(streams.child("init", m, step), changed)
                case Continue(changed) if changed is not None:
                    hyperparameters[m] = dict(changed)
    return evaluations, clones
