"""Compiled loops for H2 and H3; see `gengap.topology.engines.fast` for the method.

Points are numbered by rank, as in `gengap.topology.engines.fast_kernels`, and edges by their place
in the order: ``numbers[a, b]`` is the number of edge ab, ABSENT where there is none. A simplex is
its last edge with the other points, the largest first, packed into an int64 with ``bits`` bits a
point. So integers are in one order that refines the filtration. In degree k, *columns* are
the simplices of dimension k and *rows* those of dimension k + 1. A column has ``others = k - 1``
points beside its last edge, a row has one more.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from gengap.topology.engines.fast_kernels import (
    GOLDEN,
    HALF_WORD,
    LOWER_HALF,
    ONE,
    SIX,
    SIXTY_THREE,
    ZERO,
    Integers,
    Words,
    compiled,
    lowest,
)

Numbers = npt.NDArray[np.int32]
Ends = npt.NDArray[np.uint16]

ABSENT = np.int32(0x7FFFFFFF)
NONE = -1
# Rows of numbers are compared in blocks of this length, which the rows are filled up to.
BLOCK = 64
# Numbers of rows fill at most this many bits.
KEY_BITS = 63
# Arrays that grow begin with this length.
ROOM = 64


# ---- faces and cofaces -------------------------------------------------------------------------


@compiled
def number_edges(packed: Words, pairs: Words, numbers: Numbers, ends: Ends, first: int) -> None:
    """Number edges in order from ``first`` on; see `fast_kernels.gather` for the arrays."""
    for position in range(len(packed)):
        pair = pairs[packed[position] & LOWER_HALF]
        a = np.int64(pair >> HALF_WORD)
        b = np.int64(pair & LOWER_HALF)
        edge = first + position
        numbers[a, b] = edge
        numbers[b, a] = edge
        ends[edge, 0] = a
        ends[edge, 1] = b


@compiled
def ends_of(ends: Ends, edge: int) -> tuple[int, int]:
    """Return the points of an edge; signed, as Numba turns a sum of int64 and uint64 into float."""
    return int(np.int64(ends[edge, 0])), int(np.int64(ends[edge, 1]))


@compiled
def packed_row(edge: int, x: int, y: int, z: int, others: int, bits: int) -> int:
    """Pack an edge with two other points x, y (if ``others`` is 1), or with three."""
    low = x if x < y else y
    high = y if x < y else x
    if others == 1:
        return (((edge << bits) | high) << bits) | low
    if z > high:
        low, middle, high = low, high, z
    elif z > low:
        middle = z
    else:
        low, middle = z, low
    return (((((edge << bits) | high) << bits) | middle) << bits) | low


@compiled
def first_joined(
    row_a: Numbers, row_b: Numbers, row_v: Numbers, row_w: Numbers, edge: int, start: int, stop: int
) -> int:
    """Return the first point from ``start`` on that earlier edges join to four, or ``stop``."""
    bound = np.int32(edge)
    begin = start - start % BLOCK
    while begin < stop:
        least = ABSENT
        for x in range(begin, begin + BLOCK):
            one = row_a[x] if row_a[x] > row_b[x] else row_b[x]
            other = row_v[x] if row_v[x] > row_w[x] else row_w[x]
            one = one if one > other else other
            least = one if one < least else least
        if least < bound:
            for x in range(max(begin, start), min(begin + BLOCK, stop)):
                if row_a[x] < bound and row_b[x] < bound and row_v[x] < bound and row_w[x] < bound:
                    return x
        begin += BLOCK
    return stop


@compiled
def next_last_edge(
    row_a: Numbers, row_b: Numbers, row_v: Numbers, row_w: Numbers, reached: int
) -> int:
    """Return the first edge after ``reached`` that is the last one of a row, or ABSENT."""
    # Unsigned, so that what is not after ``reached`` becomes large: one comparison does.
    least = np.uint32(0xFFFFFFFF)
    after = np.uint32(reached + 1)
    for x in range(len(row_a)):
        one = row_a[x] if row_a[x] > row_b[x] else row_b[x]
        other = row_v[x] if row_v[x] > row_w[x] else row_w[x]
        one = one if one > other else other
        beyond = np.uint32(np.uint32(one) - after)
        least = beyond if beyond < least else least
    return int(np.int64(least) + np.int64(after))


@compiled
def row_over(
    a: int, b: int, v: int, w: int, p: int, q: int, edge: int, others: int, bits: int
) -> int:
    """Return the row with last edge pq that consists of a column abvw and the other end."""
    shared = p if p in (a, b, v, w) else q
    if shared == a:
        return packed_row(edge, b, w, v, others, bits)
    if shared == b:
        return packed_row(edge, a, w, v, others, bits)
    if shared == w:
        return packed_row(edge, a, b, v, others, bits)
    return packed_row(edge, a, b, w, others, bits)


@compiled
def first_beyond(w: int, high: int, low: int) -> int:
    """Return the smallest x such that w and x, sorted, come after (high, low)."""
    if w > high:
        return 0
    if w == high:
        return low + 1
    return high if w > low else high + 1


@compiled
def next_row(numbers: Numbers, ends: Ends, others: int, bits: int, column: int, last: int) -> int:
    """Return the first row after ``last`` that has a column as a face, or NONE.

    First come the rows of the same last edge, over points that earlier edges join to all of the
    column, in the order of the points. Each other row has a last edge of its own.
    """
    mask = (1 << bits) - 1
    edge = column >> (others * bits)
    a, b = ends_of(ends, edge)
    v = column & mask
    w = (column >> ((others - 1) * bits)) & mask
    row_a, row_b, row_v, row_w = numbers[a], numbers[b], numbers[v], numbers[w]
    reached = last >> ((others + 1) * bits)  # NONE stays NONE
    if reached <= edge:
        start = 0
        if reached == edge:
            z = last & mask
            y = (last >> bits) & mask
            if others == 1:
                start = first_beyond(w, y, z)
            else:
                x = (last >> (2 * bits)) & mask
                if w > x:
                    start = 0
                elif w == x:
                    start = first_beyond(v, y, z)
                else:
                    start = x if w > y or (w == y and v > z) else x + 1
        n = len(row_a)
        x = first_joined(row_a, row_b, row_v, row_w, edge, start, n)
        if x < n:
            return packed_row(edge, w, x, v, others, bits)
        reached = edge
    else:
        # The row whose last edge is that of ``last`` may come after it.
        p, q = ends_of(ends, reached)
        has_p = p in (a, b, v, w)
        has_q = q in (a, b, v, w)
        if has_p != has_q:
            x = q if has_p else p
            if (
                row_a[x] <= reached
                and row_b[x] <= reached
                and row_v[x] <= reached
                and row_w[x] <= reached
            ):
                row = row_over(a, b, v, w, p, q, reached, others, bits)
                if row > last:
                    return row
    following = next_last_edge(row_a, row_b, row_v, row_w, reached)
    if following >= ABSENT:
        return NONE
    p, q = ends_of(ends, following)
    return row_over(a, b, v, w, p, q, following, others, bits)


@compiled
def apparent_column(numbers: Numbers, ends: Ends, others: int, bits: int, row: int) -> int:
    """Return the column that makes an apparent pair with a row, or NONE.

    It is the face opposite to the row's smallest point beside the last edge, if no smaller point
    makes a row of the same last edge with that face.
    """
    mask = (1 << bits) - 1
    edge = row >> ((others + 1) * bits)
    smallest = row & mask
    v = (row >> bits) & mask
    w = (row >> (others * bits)) & mask
    row_a, row_b = numbers[ends[edge, 0]], numbers[ends[edge, 1]]
    x = first_joined(row_a, row_b, numbers[v], numbers[w], edge, 0, smallest)
    return row >> bits if x == smallest else NONE


# ---- hash tables and heaps ---------------------------------------------------------------------


@compiled
def slot(pivot: Integers, row: int) -> int:
    """Return where a hash table holds this pivot, or where it belongs."""
    last = np.uint64(len(pivot) - 1)
    index = ((np.uint64(row) * GOLDEN) >> HALF_WORD) & last
    while pivot[index] != NONE and pivot[index] != row:
        index = (index + ONE) & last
    return int(np.int64(index))


@compiled
def doubled(array: Integers) -> Integers:
    """Return an array of twice the length that begins with this one."""
    longer = np.empty(2 * len(array), array.dtype)
    longer[: len(array)] = array
    return longer


@compiled
def rehash(pivot: Integers, item: Integers, new_pivot: Integers, new_item: Integers) -> None:
    """Enter everything in a hash table into a larger one."""
    for index in range(len(pivot)):
        if pivot[index] != NONE:
            new = slot(new_pivot, pivot[index])
            new_pivot[new] = pivot[index]
            new_item[new] = item[index]


@compiled
def push(rows: Integers, columns: Integers, size: int, row: int, column: int) -> None:
    """Put an entry into a binary heap of ``size`` entries."""
    index = size
    while index > 0:
        parent = (index - 1) >> 1
        if rows[parent] < row or (rows[parent] == row and columns[parent] <= column):
            break
        rows[index] = rows[parent]
        columns[index] = columns[parent]
        index = parent
    rows[index] = row
    columns[index] = column


@compiled
def replace_first(rows: Integers, columns: Integers, size: int, row: int, column: int) -> None:
    """Put an entry in place of the first one of a heap of ``size`` entries."""
    index = 0
    while True:
        child = 2 * index + 1
        if child >= size:
            break
        if child + 1 < size and (
            rows[child + 1] < rows[child]
            or (rows[child + 1] == rows[child] and columns[child + 1] < columns[child])
        ):
            child += 1
        if row < rows[child] or (row == rows[child] and column <= columns[child]):
            break
        rows[index] = rows[child]
        columns[index] = columns[child]
        index = child
    rows[index] = row
    columns[index] = column


@compiled
def advance(
    numbers: Numbers,
    ends: Ends,
    others: int,
    bits: int,
    rows: Integers,
    columns: Integers,
    size: int,
) -> tuple[int, bool]:
    """Move all columns that stand at the first row of the heap to their next rows.

    Returns:
        The size of the heap, and whether the number of these columns is odd.
    """
    row = rows[0]
    odd = False
    while size > 0 and rows[0] == row:
        column = columns[0]
        size -= 1
        replace_first(rows, columns, size, rows[size], columns[size])
        if size > 0 and rows[0] == row and columns[0] == column:
            # The same column twice counts as none.
            size -= 1
            replace_first(rows, columns, size, rows[size], columns[size])
            continue
        odd = not odd
        following = next_row(numbers, ends, others, bits, column, row)
        if following != NONE:
            push(rows, columns, size, following, column)
            size += 1
    return size, odd


# ---- the reduction -----------------------------------------------------------------------------


@compiled
def local_minima(
    adjacent: Words, words: np.uint64, among: Words, below: int, minima: Integers
) -> int:
    """Find the points in no apparent pair: without a smaller neighbour among given points.

    Args:
        adjacent: rows of bits.
        words: number of words of a row.
        among: bits of the given points.
        below: only points smaller than this are found.
        minima: gets them in ascending order; the smallest of all points is left out.

    Returns:
        How many there are.
    """
    size = 0
    first = -1
    row_f = ZERO
    for word in range(words):
        if among[word] == ZERO:
            continue
        if first < 0:
            bit = lowest(among[word])
            first = int(np.int64((word << SIX) | bit))
            row_f = np.uint64(first) * words
        rest = among[word] & ~adjacent[row_f + word]
        while rest != ZERO:
            bit = lowest(rest)
            rest &= rest - ONE
            point = (word << SIX) | bit
            if np.int64(point) >= below:
                return size
            if np.int64(point) == first:
                continue
            row = point * words
            smaller = among[word] & adjacent[row + word] & ((ONE << bit) - ONE)
            other = ZERO
            while smaller == ZERO and other < word:
                smaller = among[other] & adjacent[row + other]
                other += ONE
            if smaller == ZERO:
                minima[size] = point
                size += 1
    return size


@compiled
def flip(adjacent: Words, words: np.uint64, a: np.uint64, b: np.uint64) -> None:
    """Put edge ab into rows of bits, or take it out."""
    adjacent[a * words + (b >> SIX)] ^= ONE << (b & SIXTY_THREE)
    adjacent[b * words + (a >> SIX)] ^= ONE << (a & SIXTY_THREE)


@compiled
def without_pairs(columns: Integers, size: int, distinct: Integers) -> int:
    """Write the columns that are there an odd number of times; returns how many these are."""
    ordered = np.sort(columns[:size])
    count = 0
    for index in range(size):
        if count > 0 and distinct[count - 1] == ordered[index]:
            count -= 1
        else:
            distinct[count] = ordered[index]
            count += 1
    return count


@compiled
def reduce_column(
    numbers: Numbers,
    ends: Ends,
    others: int,
    bits: int,
    column: int,
    pivot: Integers,
    item: Integers,
    pool: Integers,
    rows: Integers,
    columns: Integers,
) -> tuple[int, int, Integers, Integers]:
    """Add reduced sums to a column until the first row of its sum is no pivot yet.

    Returns:
        That row, or NONE if the sum is empty; the size of the heap; and its two arrays, which hold
        the columns of the sum that have further rows.
    """
    size = 0
    row = next_row(numbers, ends, others, bits, column, NONE)
    if row != NONE:
        push(rows, columns, size, row, column)
        size += 1
    while size > 0:
        row = rows[0]
        size, odd = advance(numbers, ends, others, bits, rows, columns, size)
        if not odd:
            continue
        start, stop = 0, 1
        partner = apparent_column(numbers, ends, others, bits, row)
        if partner == NONE:
            place = slot(pivot, row)
            if pivot[place] == NONE:
                return row, size, rows, columns
            partner = item[place]
            if partner < 0:
                start = -partner
                stop = start + pool[start - 1]
        while size + stop - start > len(rows):
            rows, columns = doubled(rows), doubled(columns)
        for index in range(start, stop):
            summand = partner if partner >= 0 else pool[index]
            following = next_row(numbers, ends, others, bits, summand, row)
            if following != NONE:
                push(rows, columns, size, following, summand)
                size += 1
    return NONE, 0, rows, columns


@compiled
def reduce_all(
    numbers: Numbers, ends: Ends, others: int, bits: int, cleared: Integers
) -> tuple[Integers, Integers]:
    """Reduce all columns that are in no apparent pair, the last one first.

    The sum that belongs to a pivot is kept as those of its columns that have rows after it. One
    column is the table's item itself. Of others the item is ``-1 - start``, where ``pool[start]``
    is their number and they follow.

    Args:
        numbers: of the edges, (n, n filled up to whole blocks).
        ends: of the edges, (edges, 2).
        others: as above.
        bits: of a point.
        cleared: hash table of the columns that are pivots one degree below.

    Returns:
        Numbers of the last edges at birth and death in turn, NONE for a death that never comes,
        without bars that begin and end with the same edge; and the hash table of pivots.
    """
    n = len(numbers)
    words = np.uint64((n + 63) // 64)
    adjacent = np.zeros(np.uint64(n) * words, np.uint64)
    for edge in range(len(ends)):
        flip(adjacent, words, np.uint64(ends[edge, 0]), np.uint64(ends[edge, 1]))
    lune, among = np.empty(words, np.uint64), np.empty(words, np.uint64)
    minima = np.empty(n, np.int64)
    rows, columns = np.empty(ROOM, np.int64), np.empty(ROOM, np.int64)
    pivot, item = np.full(ROOM, NONE, np.int64), np.empty(ROOM, np.int64)
    pool, bars = np.empty(ROOM, np.int64), np.empty(ROOM, np.int64)
    pivots, filled, births = 0, 0, 0
    for edge in range(len(ends) - 1, -1, -1):
        a, b = np.uint64(ends[edge, 0]), np.uint64(ends[edge, 1])
        flip(adjacent, words, a, b)
        for word in range(words):
            lune[word] = adjacent[a * words + word] & adjacent[b * words + word]
        # The largest point of a column beside its last edge; that of a triangle is the only one.
        largest = n
        while largest > 0:
            face = edge
            if others == 1:
                count = local_minima(adjacent, words, lune, n, minima)
                largest = 0
            else:
                largest -= 1
                if (lune[largest >> 6] >> np.uint64(largest & 63)) & ONE == ZERO:
                    continue
                for word in range(words):
                    among[word] = lune[word] & adjacent[np.uint64(largest) * words + word]
                count = local_minima(adjacent, words, among, largest, minima)
                face = (edge << bits) | largest
            for index in range(count - 1, -1, -1):
                column = (face << bits) | minima[index]
                if cleared[slot(cleared, column)] != NONE:
                    continue
                row, size, rows, columns = reduce_column(
                    numbers, ends, others, bits, column, pivot, item, pool, rows, columns
                )
                death = row >> ((others + 1) * bits)
                if death != edge:
                    if 2 * births == len(bars):
                        bars = doubled(bars)
                    bars[2 * births] = edge
                    bars[2 * births + 1] = death
                    births += 1
                if row == NONE:
                    continue
                pivots += 1
                if 2 * pivots > len(pivot):
                    old_pivot, old_item = pivot, item
                    pivot = np.full(2 * len(old_pivot), NONE, np.int64)
                    item = np.empty(2 * len(old_pivot), np.int64)
                    rehash(old_pivot, old_item, pivot, item)
                place = slot(pivot, row)
                pivot[place] = row
                if size == 1:
                    item[place] = columns[0]
                    continue
                while filled + size + 1 > len(pool):
                    pool = doubled(pool)
                item[place] = -1 - filled
                pool[filled] = without_pairs(columns, size, pool[filled + 1 :])
                filled += 1 + pool[filled]
    return bars[: 2 * births], pivot


def most_points(max_dim: int) -> int:
    """Return the largest number of points of which rows up to a degree can be numbered."""
    # An edge takes two points' bits but one, and a row of degree k has k more points.
    return int(2 ** ((KEY_BITS + 1) // (max_dim + 2)))


class Cohomology:
    """The cohomology of a complex on n points in degrees 2 and 3: edges go in, bars come out."""

    def __init__(self, n: int, edges: int) -> None:
        self._bits = max(1, (n - 1).bit_length())
        self._numbers = np.full((n, -(-n // BLOCK) * BLOCK), ABSENT, np.int32)
        self._ends = np.empty((edges, 2), np.uint16)
        self._added = 0

    def add(self, packed: Words, pairs: Words) -> None:
        """Number edges in order; see `fast_kernels.gather` for the arrays."""
        number_edges(packed, pairs, self._numbers, self._ends, self._added)
        self._added += len(packed)

    def ends(self, edges: Integers) -> Ends:
        """Return the two points of edges (m,) by number, as (m, 2); those of NONE are any."""
        return self._ends[edges]

    def bars(self, triangles: Integers, max_dim: int) -> Iterator[Integers]:
        """Compute the bars of degree 2, of degree 3, ...

        Args:
            triangles: (t, 3), those at which a loop dies: the ends of the last edge, then the third
                point.
            max_dim: the highest degree.

        Yields:
            (b, 2) numbers of the edges at birth and death; NONE is a death that never comes. Bars
            of one and the same edge are left out.
        """
        a, b, v = triangles.T
        negative = (self._numbers[a, b].astype(np.int64) << self._bits) | v
        cleared = np.full(1 << (2 * len(negative)).bit_length(), NONE, np.int64)
        rehash(negative, negative, cleared, np.empty_like(cleared))
        for degree in range(2, max_dim + 1):
            bars, cleared = reduce_all(self._numbers, self._ends, degree - 1, self._bits, cleared)
            yield bars.reshape(-1, 2)
