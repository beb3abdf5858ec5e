"""What reinforcement-learning domains share: batched environments, rollouts with recurrent state, n-step actor-critic."""
