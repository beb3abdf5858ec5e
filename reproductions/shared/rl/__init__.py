"""Advantage actor-critic on any batch of environments, with members that can be put aside, moved and resumed exactly.

**A new game.** Write a class that keeps ``environments.Environments``: say what is seen (``observations``: name -> ``Array``)
and what can be done (``actions``: ``Discrete``, or a ``Composite`` of named parts), ``begin``, ``observe`` and ``step`` the
whole batch. Available actions are an observation, bool [batch, n], that ``Discrete(n, mask="its name")`` points to. If
running episodes can be taken down as arrays, add ``save`` and ``load`` (``Resumable``): then a clone, a resumption or another
worker goes on in the middle of them. Otherwise each interval begins new episodes from its own stream, the ones that it cuts
are not counted, and an interval must be long compared with an episode. An id of Gymnasium needs no class: see ``gym``.

**A new task.** Derive a frozen dataclass (``kw_only=True``) from ``task.ActorCriticTask``; its fields are settings. Give it
``space`` (with ``lr``; ``unroll`` may be in it, an ``Integer``, and then changes between intervals), ``make_environments``
(one set a process: ``functools.cache``) and ``make_agent``. All hyperparameters but these two reach the loss as
``coefficients``. Checkpoints, scores, intervals and the final evaluation are there already. Hold it to
``pbt_core.testing.check_task``::

    @dataclass(frozen=True, kw_only=True)
    class Task(ActorCriticTask):
        level: str = "maze"
        space = Space({"lr": LogUniform(1e-4, 1e-2), "entropy_cost": LogUniform(1e-4, 1e-1), "unroll": Integer(5, 50)})

        def make_environments(self):
            return _levels(self.level, self.batch)

        def make_agent(self, environments):
            perception = MixedPerception(environments.observations, 128)
            return LstmActorCritic(perception, environments.actions, 128)

**A new agent.** Derive from ``agent.Agent``: ``initial`` (what is carried, zeros), ``step`` (named observations to outputs of
any type), ``distribution`` (outputs to a policy of ``distributions``: ``Categorical``, with a mask or without, or a ``Joint``,
in which only those arguments count that the chosen function takes) and ``loss``. ``actor_critic_loss`` does for any
policy. Override ``act`` where an argument depends on the function drawn, and keep in the outputs what its likelihood
needs. With ``feedback = True`` the observations hold "last_action" and "last_reward" too. Stay on the tensors' device and
read no number from it: return metrics as tensors.

**An auxiliary loss.** Set ``remembers`` to the steps of each environment that are kept, and write ``auxiliary``: it gets the
``memory.Memory`` at each update and adds a loss. ``Memory.sequences`` gives T steps with the observation after them, and
``fresh``, by which recurrent state and returns stop at an episode's end; ``Memory.windows`` gives observations within an
episode, half of them before a reward, for reward prediction. What the agent saw is kept as it saw it, last action and
reward included. Each environment's share of UNREAL's 2,000 frames with 16 environments is ``remembers = 125``; nets with
a second network or target keep it as a module, and it is copied with the weights.

**Whose is what.** Weights, the optimiser's state, what is carried and the finished returns are copied by a clone. Running
episodes, the last action and reward, and the memory are the member's own (``own.*`` in its checkpoint): experience stays
where it was made. ``saves_memory = False`` leaves the memory out of checkpoints; then each interval begins without one,
whoever still has it, so that a run does not depend on which worker did what.

**As one program.** A task that also gives ``own_environments`` can have all its members trained as one program, by the engine
``Batched``: acting and learning are mapped over their weights by ``torch.func``, whatever the agent (see ``batched``). With
a memory, an ``act`` of its own, draws in ``step``, or an optimiser other than RMSProp and Adam that is not possible: one
line says so, and members are trained one by one. Hold it to ``pbt_core.testing.check_population``.
"""
