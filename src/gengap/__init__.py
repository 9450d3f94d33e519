"""How well will a trained network generalise, judged from its weights and training data alone?

The rooms, in the way of the data: ``datasets``, ``networks``, ``training``, ``tasks``,
``activations``, ``topology``, ``measures``, ``evaluation``, ``figures``. A room imports only from
rooms before it.
"""
