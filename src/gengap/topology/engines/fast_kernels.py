"""Compiled loops of the persistence engine; see `gengap.topology.engines.fast` for the method.

Points are numbered by rank (most central first) and sets of points are rows of 64-bit words in
one flat array: point v's row starts at word ``v * words``. Vertices, words and offsets are uint64
throughout, since Numba turns a sum of int64 and uint64 into a float.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt
from numba.core import cgutils, types
from numba.extending import intrinsic

Words = npt.NDArray[np.uint64]
Integers = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint32]
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

ZERO, ONE, SIX, SIXTY_THREE = np.uint64(0), np.uint64(1), np.uint64(6), np.uint64(63)
HALF_WORD = np.uint64(32)
LOWER_HALF = np.uint64(0xFFFFFFFF)
# Fibonacci hashing: 2**64 divided by the golden ratio.
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
UNUSED = np.uint64(0xFFFFFFFFFFFFFFFF)

MAGNITUDE = np.uint32(0x7FFFFFFF)
INFINITE = np.uint32(0x7F800000)
ALIVE = np.uint32(0xFFFFFFFF)
TILE = 64

SOUND, NOT_A_NUMBER, NEGATIVE, NONZERO_DIAGONAL, ASYMMETRIC = range(5)
# What `Annotations.counters` counts.
POSITION, MERGES, CLASSES, LIVE, DEATHS, VECTORS, LABELLED, SHORTAGE = range(8)
# No vector: that of an edge has to be brought up to date.
STALE = -1
# What can run short; the kernel then stops, is given more room, and resumes at the same edge.
ENOUGH, OF_CLASSES, OF_VECTORS, OF_POOL, OF_LABELS = range(5)
# One step (a relation) brings up to four vectors up to date and writes one new.
VECTORS_PER_STEP = 5
# Bits of a point in `Annotations.killer`.
POINT_BITS = np.uint64(21)


def compiled(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Compile on the first call, cached on disk where some cache location can be written."""
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except (RuntimeError, OSError):
        return numba.njit(nogil=True)(function)


def bit_operation(name: str) -> Callable[[np.uint64], np.uint64]:
    """Return LLVM's instruction of that name on a word; for ``cttz``, ``ctlz`` not zero."""

    @intrinsic
    def operation(_: Any, __: Any) -> Any:
        def generate(_: Any, builder: Any, ___: Any, arguments: Any) -> Any:
            # Counting ones has no case that is undefined.
            flags = () if name == "ctpop" else (cgutils.true_bit,)
            return getattr(builder, name)(arguments[0], *flags)

        return types.uint64(types.uint64), generate

    return cast(Callable[[np.uint64], np.uint64], operation)


lowest = bit_operation("cttz")  # position of the lowest set bit
zeros_above = bit_operation("ctlz")  # number of zero bits above the highest set bit
ones_in = bit_operation("ctpop")  # number of set bits


# ---- the matrix --------------------------------------------------------------------------------


@compiled
def examine(keys: Keys) -> tuple[int, int, int]:
    """Return the first fault of an (n, n) matrix of keys and its place; else SOUND."""
    n = len(keys)
    for top in range(0, n, TILE):
        for left in range(top, n, TILE):
            for i in range(top, min(n, top + TILE)):
                for j in range(left, min(n, left + TILE)):
                    key = keys[i, j]
                    other = keys[j, i]
                    if key == other and key <= INFINITE and (i != j or key == 0):
                        continue
                    if (key & MAGNITUDE) > INFINITE:
                        return NOT_A_NUMBER, i, j
                    if (other & MAGNITUDE) > INFINITE:
                        return NOT_A_NUMBER, j, i
                    if i == j and (key & MAGNITUDE) != 0:
                        return NONZERO_DIAGONAL, i, j
                    # Minus zero is zero.
                    if key > INFINITE and (key & MAGNITUDE) != 0:
                        return NEGATIVE, i, j
                    if other > INFINITE and (other & MAGNITUDE) != 0:
                        return NEGATIVE, j, i
                    if (key & MAGNITUDE) != (other & MAGNITUDE):
                        return ASYMMETRIC, i, j
    return SOUND, 0, 0


@compiled
def survey(
    values: npt.NDArray[np.float32], farthest: Keys, closeness: npt.NDArray[np.float64]
) -> None:
    """Compute each row's largest value as a key, and its sum."""
    keys = values.view(np.uint32)
    for i in range(len(values)):
        largest = np.uint32(0)
        total = 0.0
        for j in range(len(values)):
            largest = max(largest, keys[i, j] & MAGNITUDE)
            total += values[i, j]
        farthest[i] = largest
        closeness[i] = total


@compiled
def count(keys: Keys, end: np.uint32, shift: np.uint32, counts: Integers) -> None:
    """Count the edges with key below ``end``, by bucket ``key >> shift``."""
    for i in range(len(keys)):
        for j in range(i + 1, len(keys)):
            key = keys[i, j] & MAGNITUDE
            if key < end:
                counts[key >> shift] += 1


@compiled
def gather(
    keys: Keys, rank: Words, low: np.uint32, high: np.uint32, packed: Words, pairs: Words
) -> None:
    """Collect the edges with key in [low, high), in the matrix's row order.

    ``packed`` gets the key in the upper half of the word and the index into ``pairs`` in the
    lower, ``pairs`` the ranks of the two points. Both need one word more than there are edges.
    """
    found = ZERO
    for i in range(len(keys)):
        first = rank[i] << HALF_WORD
        for j in range(i + 1, len(keys)):
            key = keys[i, j] & MAGNITUDE
            # Written always and kept by counting: a branch here could not be predicted.
            packed[found] = (np.uint64(key) << HALF_WORD) | found
            pairs[found] = first | rank[j]
            found += np.uint64((key >= low) & (key < high))


# ---- annotations -------------------------------------------------------------------------------


class Annotations(NamedTuple):
    """What is known about the loops, and to which of them each edge is homologous.

    A *class* is a loop born with an edge, numbered by age. A *vector* is a sum of classes: vector
    v holds ``pool[start[v]:start[v + 1]]``, youngest first; vector 0 is empty. The annotation of
    an edge is zero unless the edge is marked, else the vector that ``label`` holds for it.
    Vectors are brought up to date when they are next read: ``latest[v]`` is another vector in
    place of v (or v), which names no class that was dead when ``stamp[v]`` classes had died.
    """

    birth: Keys
    death: Keys
    own: Integers  # the vector that is only this class or, once it is dead, what equals it
    killer: Words  # the triangle at which it died: the last edge's ends and the third point
    sum: Words  # scratch: a sum of classes as bits, all zero between uses
    terms: Integers  # scratch: the classes of a sum
    start: Integers
    latest: Integers
    stamp: Integers
    pool: Integers
    edge: Words  # hash table from edge ...
    label: Integers  # ... to vector
    marked: Words  # rows of bits: edges whose annotation may not be zero
    marks: Integers  # number of bits in each row
    counters: Integers


@compiled
def no_room_to_label(edge: Words, counters: Integers) -> bool:
    """Return whether one more label would fill the hash table by more than half."""
    return bool(2 * (counters[LABELLED] + 1) >= len(edge))


@compiled
def shortage(known: Annotations) -> int:
    """Return what has no room for one more step."""
    counters = known.counters
    if counters[CLASSES] + 1 >= len(known.birth):
        return OF_CLASSES
    vectors = counters[VECTORS]
    if vectors + VECTORS_PER_STEP >= len(known.latest):
        return OF_VECTORS
    if known.start[vectors] + VECTORS_PER_STEP * (counters[LIVE] + 1) >= len(known.pool):
        return OF_POOL
    if no_room_to_label(known.edge, counters):
        return OF_LABELS
    return ENOUGH


@compiled
def place(edge: Words, a: np.uint64, b: np.uint64) -> np.uint64:
    """Return the index of edge ab in the hash table, or where it belongs."""
    name = (min(a, b) << HALF_WORD) | max(a, b)
    last = np.uint64(len(edge) - 1)
    # Marked edges come in dense blocks, which a single multiplication would map onto each other.
    mixed = name * GOLDEN
    mixed = (mixed ^ (mixed >> HALF_WORD)) * GOLDEN
    index = (mixed >> HALF_WORD) & last
    while edge[index] != UNUSED and edge[index] != name:
        index = (index + ONE) & last
    return index


@compiled
def set_label(
    edge: Words, label: Integers, counters: Integers, a: np.uint64, b: np.uint64, vector: int
) -> None:
    """Set a vector as the annotation of edge ab."""
    index = place(edge, a, b)
    if edge[index] == UNUSED:
        edge[index] = (min(a, b) << HALF_WORD) | max(a, b)
        counters[LABELLED] += 1
    label[index] = vector


@compiled
def toggle_mark(
    marked: Words, marks: Integers, words: np.uint64, a: np.uint64, b: np.uint64
) -> None:
    """Flip the mark of edge ab, in the rows of both its ends."""
    marked[a * words + (b >> SIX)] ^= ONE << (b & SIXTY_THREE)
    marked[b * words + (a >> SIX)] ^= ONE << (a & SIXTY_THREE)
    change = 1 if has(marked, words, a, b) else -1
    marks[a] += change
    marks[b] += change


@compiled
def has(rows: Words, words: np.uint64, a: np.uint64, b: np.uint64) -> bool:
    """Return whether the bit of b is set in the row of a."""
    return bool((rows[a * words + (b >> SIX)] >> (b & SIXTY_THREE)) & ONE != ZERO)


@compiled
def follow(latest: Integers, vector: int) -> int:
    """Return the vector that a vector has become, and shorten the way there."""
    while latest[vector] != vector:
        latest[vector] = latest[latest[vector]]
        vector = latest[vector]
    return vector


@compiled
def add(known: Annotations, vector: int) -> int:
    """Add a vector to the sum; returns the highest word that it touches (or 0)."""
    high = 0
    pool, total = known.pool, known.sum
    for index in range(known.start[vector], known.start[vector + 1]):
        term = pool[index]
        total[term >> 6] ^= ONE << np.uint64(term & 63)
        high = max(high, term >> 6)
    return high


@compiled
def simplify(known: Annotations, high: int) -> int:
    """Replace dead classes by what they equal; move the sum, youngest first, into ``terms``."""
    size = 0
    total, death, terms = known.sum, known.death, known.terms
    for word in range(high, -1, -1):
        # A dead class equals a sum of older ones, so nothing is added above the current bit.
        while total[word] != ZERO:
            bit = SIXTY_THREE - zeros_above(total[word])
            total[word] ^= ONE << bit
            term = 64 * word + np.int64(bit)
            if death[term] == ALIVE:
                terms[size] = term
                size += 1
            else:
                add(known, follow(known.latest, known.own[term]))
    return size


@compiled
def vector_of_terms(known: Annotations, first: int, size: int) -> int:
    """Return the vector of ``terms[first:size]``."""
    if first == size:
        return 0
    if size - first == 1:
        return int(known.own[known.terms[first]])
    vector = known.counters[VECTORS]
    begin = known.start[vector]
    pool, terms = known.pool, known.terms
    for index in range(first, size):
        pool[begin + index - first] = terms[index]
    known.start[vector + 1] = begin + size - first
    known.latest[vector] = vector
    known.stamp[vector] = known.counters[DEATHS]
    known.counters[VECTORS] += 1
    return int(vector)


@compiled
def up_to_date(known: Annotations, vector: int) -> int:
    """Return the vector that now stands for this one and names no dead class."""
    vector = follow(known.latest, vector)
    if vector == 0 or known.stamp[vector] == known.counters[DEATHS]:
        return vector
    pool, death = known.pool, known.death
    for index in range(known.start[vector], known.start[vector + 1]):
        if death[pool[index]] != ALIVE:
            size = simplify(known, add(known, vector))
            known.latest[vector] = vector_of_terms(known, 0, size)
            return int(known.latest[vector])
    known.stamp[vector] = known.counters[DEATHS]
    return vector


@compiled
def fresh_annotation(
    marked: Words,
    edge: Words,
    label: Integers,
    latest: Integers,
    stamp: Integers,
    deaths: int,
    words: np.uint64,
    a: np.uint64,
    b: np.uint64,
) -> int:
    """Return the vector of an edge of the complex, or STALE if it must be brought up to date.

    Passing `Annotations` costs two atomic additions an array, passing single arrays none: so what
    runs for every edge takes these.

    Returns:
        The vector's number; 0 is the zero vector.
    """
    if not has(marked, words, a, b):
        return 0
    vector = follow(latest, label[place(edge, a, b)])
    return vector if vector != 0 and stamp[vector] == deaths else STALE


@compiled
def annotation(known: Annotations, words: np.uint64, a: np.uint64, b: np.uint64) -> int:
    """Return the vector of an edge of the complex."""
    if not has(known.marked, words, a, b):
        return 0
    vector = up_to_date(known, known.label[place(known.edge, a, b)])
    if vector == 0:
        toggle_mark(known.marked, known.marks, words, a, b)
    return vector


@compiled
def bear(known: Annotations, words: np.uint64, a: np.uint64, b: np.uint64, key: np.uint32) -> None:
    """Create the class of the loop that edge ab closes."""
    counters = known.counters
    newborn = counters[CLASSES]
    vector = counters[VECTORS]
    known.birth[newborn] = key
    known.death[newborn] = ALIVE
    known.own[newborn] = vector
    known.pool[known.start[vector]] = newborn
    known.start[vector + 1] = known.start[vector] + 1
    known.latest[vector] = vector
    known.stamp[vector] = counters[DEATHS]
    counters[CLASSES] += 1
    counters[LIVE] += 1
    counters[VECTORS] += 1
    set_label(known.edge, known.label, counters, a, b, vector)
    toggle_mark(known.marked, known.marks, words, a, b)


@compiled
def sum_of_edges(
    known: Annotations, words: np.uint64, a: np.uint64, b: np.uint64, v: np.uint64
) -> int:
    """Return the vector of the path from a over v to b."""
    first = annotation(known, words, a, v)
    second = annotation(known, words, b, v)
    if first == second:
        return 0
    if first == 0 or second == 0:
        return first + second
    size = simplify(known, max(add(known, first), add(known, second)))
    return vector_of_terms(known, 0, size)


@compiled
def relate(
    known: Annotations,
    words: np.uint64,
    a: np.uint64,
    b: np.uint64,
    first: np.uint64,
    v: np.uint64,
    key: np.uint32,
) -> None:
    """Make the paths from a to b over two points equal: the youngest class in their sum dies."""
    # All four first: bringing a vector up to date uses the sum, too.
    one = annotation(known, words, a, first)
    other = annotation(known, words, b, first)
    left = annotation(known, words, a, v)
    right = annotation(known, words, b, v)
    high = max(add(known, one), add(known, other), add(known, left), add(known, right))
    size = simplify(known, high)
    if size == 0:
        return
    youngest = known.terms[0]
    known.death[youngest] = key
    known.killer[youngest] = (((a << POINT_BITS) | b) << POINT_BITS) | v
    known.counters[LIVE] -= 1
    known.counters[DEATHS] += 1
    known.latest[known.own[youngest]] = vector_of_terms(known, 1, size)


# ---- the sweep over the edges ------------------------------------------------------------------


@compiled
def root(parent: Words, v: np.uint64) -> np.uint64:
    """Return the point that stands for v's connected component, and shorten the way there."""
    while parent[v] != v:
        parent[v] = parent[parent[v]]
        v = parent[v]
    return v


@compiled
def spread(adjacent: Words, words: np.uint64, front: Words, rest: Words) -> None:
    """Take everything that ``front`` reaches out of ``rest``, which empties ``front``."""
    left = True
    while left:
        left = False
        for word in range(words):
            while front[word] != ZERO:
                bit = lowest(front[word])
                front[word] &= front[word] - ONE
                row = ((word << SIX) | bit) * words
                for other in range(words):
                    reached = rest[other] & adjacent[row + other]
                    rest[other] ^= reached
                    front[other] |= reached
                left = True


@compiled
def lowest_of(points: Words, words: np.uint64) -> np.uint64:
    """Return the lowest point of a set that is not empty."""
    word = ZERO
    while points[word] == ZERO:
        word += ONE
    return (word << SIX) | lowest(points[word])


@compiled
def remove_component(
    adjacent: Words, words: np.uint64, f: np.uint64, lune: Words, hot: Words, rest: Words
) -> bool:
    """Leave in ``rest`` the points of ``lune`` that f does not reach.

    First each hot vertex in turn looks for a neighbour already reached, whose other neighbours
    are then reached, too: usually a few steps reach all hot vertices, and ``rest`` may be too
    large. If not, f's component is searched in full. ``hot`` is used up.

    Returns:
        Whether any point of ``hot`` is left in ``rest``.
    """
    row = f * words
    for word in range(words):
        rest[word] = lune[word] & ~adjacent[row + word]
    rest[f >> SIX] &= ~(ONE << (f & SIXTY_THREE))
    left = ZERO
    for word in range(words):
        left |= rest[word] & hot[word]
    for word in range(words):
        pending = rest[word] & hot[word]
        while pending != ZERO:
            bit = lowest(pending)
            pending &= pending - ONE
            row = ((word << SIX) | bit) * words
            for other in range(words):
                reached = adjacent[row + other] & lune[other] & ~rest[other]
                if reached != ZERO:
                    row = ((other << SIX) | lowest(reached)) * words
                    left = ZERO
                    for index in range(words):
                        rest[index] &= ~adjacent[row + index]
                        left |= rest[index] & hot[index]
                    pending &= rest[word]
                    break
        if left == ZERO:
            return False
    for word in range(words):
        hot[word] = lune[word] & ~rest[word]
    spread(adjacent, words, hot, rest)
    left = ZERO
    for word in range(words):
        left |= rest[word]
    return bool(left != ZERO)


@compiled
def settle(
    known: Annotations,
    adjacent: Words,
    words: np.uint64,
    a: np.uint64,
    b: np.uint64,
    key: np.uint32,
    lune: Words,
    front: Words,
    rest: Words,
) -> bool:
    """Annotate edge ab, whose lune is not empty, and impose its triangles.

    It may be called again for the same edge: what has been imposed already changes nothing.

    Returns:
        Whether there was enough room.
    """
    marked, edge, label = known.marked, known.edge, known.label
    latest, stamp, counters = known.latest, known.stamp, known.counters
    row_a, row_b = a * words, b * words
    # Is any edge from a or b into the lune not homologous to zero? If none, neither is ab.
    matters = False
    for word in range(words):
        common = adjacent[row_a + word] & adjacent[row_b + word]
        common &= marked[row_a + word] | marked[row_b + word]
        while common != ZERO and not matters:
            v = (word << SIX) | lowest(common)
            common &= common - ONE
            for end in (a, b):
                vector = fresh_annotation(
                    marked, edge, label, latest, stamp, counters[DEATHS], words, end, v
                )
                if vector == STALE:
                    if shortage(known) != ENOUGH:
                        return False
                    vector = annotation(known, words, end, v)
                matters = matters or vector != 0
    if not matters:
        return True
    # Any vertex of the lune may give the annotation. With one of two unmarked edges it is zero,
    # and then only triangles with a marked edge can matter.
    first = a
    plain = False
    for word in range(words):
        lune[word] = adjacent[row_a + word] & adjacent[row_b + word]
        front[word] = lune[word] & (marked[row_a + word] | marked[row_b + word])
        unmarked = lune[word] & ~front[word]
        if unmarked != ZERO and not plain:
            first = (word << SIX) | lowest(unmarked)
            plain = True
        elif lune[word] != ZERO and first == a:
            first = (word << SIX) | lowest(lune[word])
    vector = 0
    if not plain:
        deaths = counters[DEATHS]
        left = fresh_annotation(marked, edge, label, latest, stamp, deaths, words, a, first)
        right = fresh_annotation(marked, edge, label, latest, stamp, deaths, words, b, first)
        if left == right and left != STALE:
            vector = 0
        elif left == 0:
            vector = right
        elif right == 0:
            vector = left
        else:
            vector = STALE
        if vector == STALE or no_room_to_label(edge, counters):
            if shortage(known) != ENOUGH:
                return False
            vector = sum_of_edges(known, words, a, b, first)
        if vector != 0:
            set_label(edge, label, counters, a, b, vector)
    # When the kernel resumes at this edge, it may be marked already.
    if (vector != 0) != has(marked, words, a, b):
        toggle_mark(marked, known.marks, words, a, b)
    if not remove_component(adjacent, words, first, lune, front, rest):
        return True
    # Every component but that of the lune's first point f has a triangle to impose. Those of other
    # degrees of homology depend on which triangles these are, so f's component has to be the base.
    f = lowest_of(lune, words)
    if (rest[f >> SIX] >> (f & SIXTY_THREE)) & ONE != ZERO:
        first = f
        for word in range(words):
            rest[word] = lune[word]
            front[word] = ZERO
        rest[f >> SIX] ^= ONE << (f & SIXTY_THREE)
        front[f >> SIX] = ONE << (f & SIXTY_THREE)
        spread(adjacent, words, front, rest)
    for word in range(words):
        while rest[word] != ZERO:
            if shortage(known) != ENOUGH:
                return False
            bit = lowest(rest[word])
            relate(known, words, a, b, first, (word << SIX) | bit, key)
            rest[word] ^= ONE << bit
            front[word] = ONE << bit
            spread(adjacent, words, front, rest)
    return True


@compiled
def add_all(
    packed: Words,
    pairs: Words,
    adjacent: Words,
    words: np.uint64,
    parent: Words,
    merges: Keys,
    known: Annotations,
    scratch: Words,
) -> None:
    """Add the edges of ``packed``, in order, from the counted position on."""
    counters, marked, marks = known.counters, known.marked, known.marks
    lune, front, rest = scratch[0], scratch[1], scratch[2]
    for position in range(counters[POSITION], len(packed)):
        pair = pairs[packed[position] & LOWER_HALF]
        key = np.uint32(packed[position] >> HALF_WORD)
        a = pair >> HALF_WORD
        b = pair & LOWER_HALF
        row_a = a * words
        row_b = b * words
        empty = True
        for word in range(words):
            if adjacent[row_a + word] & adjacent[row_b + word] != ZERO:
                empty = False
                break
        if empty:
            root_a = root(parent, a)
            root_b = root(parent, b)
            if root_a != root_b:
                parent[max(root_a, root_b)] = min(root_a, root_b)
                merges[counters[MERGES]] = key
                counters[MERGES] += 1
            else:
                counters[SHORTAGE] = shortage(known)
                if counters[SHORTAGE] != ENOUGH:
                    counters[POSITION] = position
                    return
                bear(known, words, a, b, key)
        elif marks[a] + marks[b] != 0:
            touched = ZERO
            for word in range(words):
                touched |= (
                    adjacent[row_a + word]
                    & adjacent[row_b + word]
                    & (marked[row_a + word] | marked[row_b + word])
                )
            if touched != ZERO and not settle(known, adjacent, words, a, b, key, lune, front, rest):
                counters[SHORTAGE] = shortage(known)
                counters[POSITION] = position
                return
        adjacent[row_a + (b >> SIX)] |= ONE << (b & SIXTY_THREE)
        adjacent[row_b + (a >> SIX)] |= ONE << (a & SIXTY_THREE)
    counters[SHORTAGE] = ENOUGH


@compiled
def rehash(edge: Words, label: Integers, new_edge: Words, new_label: Integers) -> None:
    """Enter all labels of a hash table into a larger one."""
    for index in range(len(edge)):
        if edge[index] != UNUSED:
            new = place(new_edge, edge[index] >> HALF_WORD, edge[index] & LOWER_HALF)
            new_edge[new] = edge[index]
            new_label[new] = label[index]


class Sweep:
    """The growing complex on n points: edges go in, births and deaths come out."""

    def __init__(self, n: int, room: int = 64) -> None:
        self._words = np.uint64((n + 63) // 64)
        words = int(self._words)
        self._adjacent = np.zeros(n * words, np.uint64)
        self._parent = np.arange(n, dtype=np.uint64)
        self._merges = np.empty(n, np.uint32)
        self._scratch = np.zeros((3, words), np.uint64)
        self._known = Annotations(
            birth=np.zeros(room, np.uint32),
            death=np.zeros(room, np.uint32),
            own=np.zeros(room, np.int64),
            killer=np.zeros(room, np.uint64),
            sum=np.zeros(room // 64 + 1, np.uint64),
            terms=np.zeros(room, np.int64),
            start=np.zeros(room + 1, np.int64),
            latest=np.zeros(room, np.int64),
            stamp=np.zeros(room, np.int64),
            pool=np.zeros(room, np.int64),
            edge=np.full(room, UNUSED),
            label=np.zeros(room, np.int64),
            marked=np.zeros(n * words, np.uint64),
            marks=np.zeros(n, np.int64),
            counters=np.zeros(8, np.int64),
        )
        self._known.counters[VECTORS] = 1

    def add(self, packed: Words, pairs: Words) -> None:
        """Add edges in order; see `gather` for the arrays."""
        counters = self._known.counters
        counters[POSITION] = 0
        counters[SHORTAGE] = OF_CLASSES
        while True:
            add_all(
                packed,
                pairs,
                self._adjacent,
                self._words,
                self._parent,
                self._merges,
                self._known,
                self._scratch,
            )
            if counters[SHORTAGE] == ENOUGH:
                return
            self._known = _grown(self._known, int(counters[SHORTAGE]))

    def merges(self) -> Keys:
        """Return the keys at which two components became one."""
        return self._merges[: self._known.counters[MERGES]]

    def loops(self) -> tuple[Keys, Keys]:
        """Return the keys of births and deaths (ALIVE where there was none) of loops."""
        classes = self._known.counters[CLASSES]
        return self._known.birth[:classes], self._known.death[:classes]

    def killers(self) -> Integers:
        """Return the triangles at which loops died: the ends of the last edge, the third point."""
        dead = self.loops()[1] != ALIVE
        packed = self._known.killer[: len(dead)][dead]
        shifts = np.array([2, 1, 0], np.uint64) * POINT_BITS
        points: Words = (packed[:, None] >> shifts) & ((ONE << POINT_BITS) - ONE)
        return points.astype(np.int64)


def _doubled(array: Any) -> Any:
    return np.concatenate([array, np.zeros_like(array)])


def _grown(known: Annotations, short: int) -> Annotations:
    """Return the same with twice the space of the kind that ran short."""
    if short == OF_LABELS:
        edge = np.full(2 * len(known.edge), UNUSED)
        label = np.zeros(len(edge), np.int64)
        rehash(known.edge, known.label, edge, label)
        return known._replace(edge=edge, label=label)
    names = {
        OF_CLASSES: ("birth", "death", "own", "killer", "sum", "terms"),
        OF_VECTORS: ("start", "latest", "stamp"),
        OF_POOL: ("pool",),
    }[short]
    return known._replace(**{name: _doubled(getattr(known, name)) for name in names})
