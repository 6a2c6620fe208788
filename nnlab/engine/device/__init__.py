"""The cupy tier: populations on a GPU, a whole stack of networks in each array operation.

Everything is written against an array module ``xp`` that is handed in, so that the same code runs on NumPy,
where it can be compared with the reference. Arrays have the members first: (members, ...).

Two things that would be faster still are left out, because they can only be written beside a GPU: capturing
the steps of a chunk as a graph (a step of 9-100-50-20-1 with dropout is 34 launches), and one thread block
per member.

What it needs on the device: 1,024 members of 9-100-50-20-1 with Adam, dropout and a batch of 64, on 17,000
rows, hold 1.1 GB, and 0.3 GB more while an epoch's orders are drawn (measured on NumPy).

Once half of a cohort's members have ended, the others move closer together. Whether a member is then still
the same to the last bit is up to the device's products, which may go another way for fewer matrices.
"""

from __future__ import annotations
