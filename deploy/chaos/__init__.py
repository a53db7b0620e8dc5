"""Faults on purpose: a line that can be made bad, and a run in which things are killed, cut and held at random.

`proxy` is the line; `schedule` draws the faults of a run from a seed; `conductor` carries them out. `reckoning` draws
up the `account`: from records that do not know of each other, whether anything was lost or counted twice. `witness`
keeps those of the devices, and `proof` reads a round's weights.
"""
