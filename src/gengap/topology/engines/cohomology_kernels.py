"""Compiled loops for H2 and H3; see `gengap.topology.engines.fast` for the method.

Points are numbered by rank, as in `gengap.topology.engines.fast_kernels`, and edges by their place
in the order (:class:`Numbers`). A simplex is
its last edge with the other points, the largest first, packed into an int64 with ``bits`` bits a
point. So integers are in one order that refines the filtration. In degree k, *columns* are
the simplices of dimension k and *rows* those of dimension k + 1. A column has ``others = k - 1``
points beside its last edge, a row has one more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

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
    ones_in,
)

Table = npt.NDArray[np.int32]
Ends = npt.NDArray[np.uint16]

ABSENT = np.int32(0x7FFFFFFF)
NONE = -1
# Rows of numbers are filled up to whole words of bits.
WORD = 64
# Numbers of rows fill at most this many bits.
KEY_BITS = 63
# Arrays that grow begin with this length.
ROOM = 64


# A graph with fewer edges than this fraction of the square of its points is held as lists.
SPARSE = 1 / 8


class Numbers(NamedTuple):
    """The number of the edge between any two points, in one of two forms.

    Attributes:
        table: (n, n filled up to whole words) int32: the number of edge ab in row a, ABSENT where
            there is none. It has no rows in a sparse graph, and the others none in a dense one.
        bits: (n, words) uint64: the neighbours of each point.
        before: (n, words) uint16: how many neighbours come before each word.
        starts: (n,) int64: where the edges of each point begin.
        edges: (2 edges,) int32: the numbers of the edges of each point, by its neighbours.
    """

    table: Table
    bits: Words
    before: Ends
    starts: Integers
    edges: Table


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
def insert(rows: Integers, size: int, row: int) -> None:
    """Put a number into a binary heap of ``size`` numbers."""
    index = size
    while index > 0:
        parent = (index - 1) >> 1
        if rows[parent] <= row:
            break
        rows[index] = rows[parent]
        index = parent
    rows[index] = row


@compiled
def remove_first(rows: Integers, size: int) -> int:
    """Take the first number out of a heap; returns how many are left."""
    size -= 1
    row = rows[size]
    index, child = 0, 1
    while child < size:
        if child + 1 < size and rows[child + 1] < rows[child]:
            child += 1
        if row <= rows[child]:
            break
        rows[index] = rows[child]
        index = child
        child = 2 * index + 1
    rows[index] = row
    return size


@compiled
def push(edges: Integers, columns: Integers, size: int, edge: int, column: int) -> None:
    """Put a column into a heap of ``size`` columns, in the order of the edges where they are."""
    index = size
    while index > 0:
        parent = (index - 1) >> 1
        if edges[parent] < edge or (edges[parent] == edge and columns[parent] <= column):
            break
        edges[index] = edges[parent]
        columns[index] = columns[parent]
        index = parent
    edges[index] = edge
    columns[index] = column


@compiled
def pop(edges: Integers, columns: Integers, size: int) -> int:
    """Take the first column out of a heap; returns how many are left."""
    size -= 1
    edge, column = edges[size], columns[size]
    index, child = 0, 1
    while child < size:
        if child + 1 < size and (
            edges[child + 1] < edges[child]
            or (edges[child + 1] == edges[child] and columns[child + 1] < columns[child])
        ):
            child += 1
        if edge < edges[child] or (edge == edges[child] and column <= columns[child]):
            break
        edges[index] = edges[child]
        columns[index] = columns[child]
        index = child
        child = 2 * index + 1
    edges[index] = edge
    columns[index] = column
    return size


# ---- faces and cofaces -------------------------------------------------------------------------


@compiled
def number_edges(packed: Words, pairs: Words, ends: Ends, first: int) -> None:
    """Number edges in order from ``first`` on; see `fast_kernels.gather` for the arrays."""
    for position in range(len(packed)):
        pair = pairs[packed[position] & LOWER_HALF]
        ends[first + position, 0] = np.int64(pair >> HALF_WORD)
        ends[first + position, 1] = np.int64(pair & LOWER_HALF)


@compiled
def fill_table(ends: Ends, table: Table) -> None:
    """Enter all edges into the table of a dense graph."""
    for edge in range(len(ends)):
        a, b = ends_of(ends, edge)
        table[a, b] = edge
        table[b, a] = edge


@compiled
def fill_lists(ends: Ends, bits: Words, before: Ends, starts: Integers, edges: Table) -> None:
    """Enter all edges into the lists of a sparse graph; ``bits`` are zero before."""
    for edge in range(len(ends)):
        a, b = ends_of(ends, edge)
        bits[a, b >> 6] |= ONE << np.uint64(b & 63)
        bits[b, a >> 6] |= ONE << np.uint64(a & 63)
    start = 0
    for point in range(len(bits)):
        starts[point] = start
        degree = 0
        for word in range(bits.shape[1]):
            before[point, word] = degree
            degree += int(np.int64(ones_in(bits[point, word])))
        start += degree
    for edge in range(len(ends)):
        a, b = ends_of(ends, edge)
        edges[place_of(bits, before, starts, a, b >> 6, b & 63)] = edge
        edges[place_of(bits, before, starts, b, a >> 6, a & 63)] = edge


@compiled
def place_of(bits: Words, before: Ends, starts: Integers, a: int, word: int, bit: int) -> int:
    """Return where the lists have the edge from a point to its neighbour at a bit of a word."""
    lower = bits[a, word] & ((ONE << np.uint64(bit)) - ONE)
    return int(starts[a] + np.int64(before[a, word]) + np.int64(ones_in(lower)))


@compiled
def listed(numbers: Numbers, a: int, word: int, bit: int) -> int:
    """Return the number of the edge from a point to a neighbour, of a sparse graph."""
    return int(numbers.edges[place_of(numbers.bits, numbers.before, numbers.starts, a, word, bit)])


@compiled
def number_of(numbers: Numbers, a: int, b: int) -> int:
    """Return the number of edge ab, or ABSENT."""
    if len(numbers.table) > 0:
        return int(numbers.table[a, b])
    word, bit = b >> 6, b & 63
    if (numbers.bits[a, word] >> np.uint64(bit)) & ONE == ZERO:
        return int(ABSENT)
    return listed(numbers, a, word, bit)


@compiled
def numbers_of(numbers: Numbers, first: Integers, second: Integers) -> Integers:
    """Return the numbers of the edges between points (m,) and (m,)."""
    found = np.empty(len(first), np.int64)
    for index in range(len(first)):
        found[index] = number_of(numbers, first[index], second[index])
    return found


@compiled
def points_in(numbers: Numbers) -> int:
    """Return how many points there are."""
    return len(numbers.table) + len(numbers.bits)


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


def _comparison() -> Callable[[Table, int, int, int], np.uint64]:
    """Return the comparison of 64 numbers at once, for which Numba has no expression."""

    @intrinsic
    def compare(_: Any, numbers: Any, row: Any, start: Any, bound: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array = context.make_array(signature.args[0])(context, builder, arguments[0])
            width = builder.extract_value(array.shape, 1)
            index = builder.add(builder.mul(arguments[1], width), arguments[2])
            integer = ir.IntType(32)
            vector = ir.VectorType(integer, WORD)
            undefined = ir.Constant(vector, ir.Undefined)
            address = builder.bitcast(builder.gep(array.data, [index]), vector.as_pointer())
            loaded = builder.load(address)
            loaded.align = 4
            first = builder.insert_element(undefined, arguments[3], integer(0))
            bounds = builder.shuffle_vector(first, undefined, ir.Constant(vector, [0] * WORD))
            below = builder.icmp_signed("<", loaded, bounds)
            return builder.bitcast(below, ir.IntType(WORD))

        return types.uint64(numbers, types.int64, types.int64, types.int32), generate

    return cast(Callable[[Table, int, int, int], np.uint64], compare)


bits_below = _comparison()  # numbers[row, start : start + 64] < bound, as the bits of a word


@compiled
def joined(numbers: Numbers, a: int, b: int, v: int, w: int, edge: int, start: int) -> np.uint64:
    """Return the points that earlier edges join to four, as the word of bits at ``start``."""
    table = numbers.table
    if len(table) > 0:
        near: np.uint64 = (
            bits_below(table, a, start, edge)
            & bits_below(table, b, start, edge)
            & bits_below(table, v, start, edge)
            & bits_below(table, w, start, edge)
        )
        return near
    word = start >> 6
    points = common(numbers, a, b, v, w, word)
    rest = points
    while rest != ZERO:
        bit = lowest(rest)
        rest &= rest - ONE
        if last_of(numbers, a, b, v, w, word, int(np.int64(bit))) >= edge:
            points &= ~(ONE << bit)
    return points


@compiled
def common(numbers: Numbers, a: int, b: int, v: int, w: int, word: int) -> np.uint64:
    """Return the common neighbours of four points of a sparse graph, one word of bits."""
    bits = numbers.bits
    shared: np.uint64 = bits[a, word] & bits[b, word] & bits[v, word] & bits[w, word]
    return shared


@compiled
def last_of(numbers: Numbers, a: int, b: int, v: int, w: int, word: int, bit: int) -> int:
    """Return the last of the edges of a sparse graph from four points to a common neighbour."""
    last = max(listed(numbers, a, word, bit), listed(numbers, b, word, bit))
    last = max(last, listed(numbers, v, word, bit))
    return last if v == w else max(last, listed(numbers, w, word, bit))


@compiled
def next_last_edge(numbers: Numbers, a: int, b: int, v: int, w: int, reached: int) -> int:
    """Return the first edge after ``reached`` that is the last one of a row, or ABSENT."""
    # Unsigned, so that what is not after ``reached`` becomes large: one comparison does.
    least = np.uint32(0xFFFFFFFF)
    after = np.uint32(reached + 1)
    table = numbers.table
    if len(table) > 0:
        for x in range(table.shape[1]):
            one = table[a, x] if table[a, x] > table[b, x] else table[b, x]
            other = table[v, x] if table[v, x] > table[w, x] else table[w, x]
            one = one if one > other else other
            beyond = np.uint32(np.uint32(one) - after)
            least = beyond if beyond < least else least
    else:
        least = np.uint32(np.uint32(ABSENT) - after)
        for word in range(numbers.bits.shape[1]):
            points = common(numbers, a, b, v, w, word)
            while points != ZERO:
                last = last_of(numbers, a, b, v, w, word, int(np.int64(lowest(points))))
                points &= points - ONE
                beyond = np.uint32(np.uint32(last) - after)
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
def points_of(ends: Ends, others: int, bits: int, column: int) -> tuple[int, int, int, int]:
    """Return the points of a column: its last edge, and v <= w beside it; a triangle has v = w."""
    mask = (1 << bits) - 1
    a, b = ends_of(ends, column >> (others * bits))
    return a, b, column & mask, (column >> ((others - 1) * bits)) & mask


@compiled
def next_edge(numbers: Numbers, ends: Ends, others: int, bits: int, column: int, edge: int) -> int:
    """Return the first edge after ``edge`` that is the last one of a row over a column, or NONE.

    Args:
        numbers: of the edges.
        ends: of the edges.
        others: see above.
        bits: see above.
        column: whose last edge is not after ``edge``.
        edge: number of an edge.

    Returns:
        The number of the edge, at most one end of which is a point of the column.
    """
    a, b, v, w = points_of(ends, others, bits, column)
    following = next_last_edge(numbers, a, b, v, w, edge)
    return following if following < ABSENT else NONE


@compiled
def row_at(numbers: Numbers, ends: Ends, others: int, bits: int, column: int, edge: int) -> int:
    """Return the row over a column with another last edge, a later one, or NONE."""
    a, b, v, w = points_of(ends, others, bits, column)
    p, q = ends_of(ends, edge)
    has_p = p in (a, b, v, w)
    if has_p == (q in (a, b, v, w)):
        return NONE
    x = q if has_p else p
    for point in (a, b, v, w):
        if number_of(numbers, point, x) > edge:
            return NONE
    return row_over(a, b, v, w, p, q, edge, others, bits)


@compiled
def enter_rows(
    numbers: Numbers,
    ends: Ends,
    others: int,
    bits: int,
    column: int,
    last: int,
    rows: Integers,
    size: int,
) -> int:
    """Put all rows over a column with the same last edge that come after ``last`` into a heap.

    Returns:
        The size of the heap.
    """
    edge = column >> (others * bits)
    a, b, v, w = points_of(ends, others, bits, column)
    for begin in range(0, points_in(numbers), WORD):
        points = joined(numbers, a, b, v, w, edge, begin)
        while points != ZERO:
            x = begin + int(np.int64(lowest(points)))
            points &= points - ONE
            row = packed_row(edge, w, x, v, others, bits)
            if row > last:
                insert(rows, size, row)
                size += 1
    return size


@compiled
def apparent_column(numbers: Numbers, ends: Ends, others: int, bits: int, row: int) -> int:
    """Return the column that makes an apparent pair with a row, or NONE.

    It is the face opposite to the row's smallest point beside the last edge, if no smaller point
    makes a row of the same last edge with that face.
    """
    smallest = row & ((1 << bits) - 1)
    column = row >> bits
    edge = column >> (others * bits)
    a, b, v, w = points_of(ends, others, bits, column)
    for begin in range(0, smallest, WORD):
        points = joined(numbers, a, b, v, w, edge, begin)
        if points != ZERO:
            return column if begin + int(np.int64(lowest(points))) == smallest else NONE
    return column


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
    edges: Integers,
    columns: Integers,
    rows: Integers,
    final: Integers,
) -> tuple[int, int]:
    """Add reduced sums to a column until the first row of its sum is no pivot yet.

    The columns of the sum wait in a heap for the next last edge of a row of theirs. All rows with
    one last edge are made at once, and added up in a heap of their own.

    Returns:
        That row, or NONE if the sum is empty; and how many of ``columns`` are those of the sum that
        may have further rows, or NONE if one of the last four arrays is too short.
    """
    # No array is replaced here: Numba would count references all the time.
    n = points_in(numbers)
    edges[0], columns[0] = column >> (others * bits), column
    size = 1
    while size > 0:
        edge = edges[0]
        # Rows with this last edge, and columns that have none with a later one.
        held, ended = 0, 0
        while size > 0 and edges[0] == edge:
            column = columns[0]
            size = pop(edges, columns, size)
            if size > 0 and edges[0] == edge and columns[0] == column:
                # The same column twice counts as none.
                size = pop(edges, columns, size)
                continue
            if held + n > len(rows) or ended == len(final):
                return NONE, NONE
            if column >> (others * bits) == edge:
                held = enter_rows(numbers, ends, others, bits, column, NONE, rows, held)
            else:
                a, b, v, w = points_of(ends, others, bits, column)
                p, q = ends_of(ends, edge)
                insert(rows, held, row_over(a, b, v, w, p, q, edge, others, bits))
                held += 1
            following = next_edge(numbers, ends, others, bits, column, edge)
            if following != NONE:
                push(edges, columns, size, following, column)
                size += 1
            else:
                final[ended] = column
                ended += 1
        while held > 0:
            row = rows[0]
            odd = False
            while held > 0 and rows[0] == row:
                held = remove_first(rows, held)
                odd = not odd
            if not odd:
                continue
            start, stop = 0, 1
            partner = apparent_column(numbers, ends, others, bits, row)
            if partner == NONE:
                place = slot(pivot, row)
                if pivot[place] == NONE:
                    if size + ended > len(columns):
                        return NONE, NONE
                    for index in range(ended):
                        columns[size + index] = final[index]
                    return row, size + ended
                partner = item[place]
                if partner < 0:
                    start = -partner
                    stop = start + pool[start - 1]
            if size + stop - start > len(edges):
                return NONE, NONE
            for index in range(start, stop):
                summand = partner if partner >= 0 else pool[index]
                own = summand >> (others * bits)
                if own > edge:
                    push(edges, columns, size, own, summand)
                    size += 1
                    continue
                if held + n > len(rows) or ended == len(final):
                    return NONE, NONE
                if own == edge:
                    held = enter_rows(numbers, ends, others, bits, summand, row, rows, held)
                else:
                    other = row_at(numbers, ends, others, bits, summand, edge)
                    if other > row:
                        insert(rows, held, other)
                        held += 1
                following = next_edge(numbers, ends, others, bits, summand, edge)
                if following != NONE:
                    push(edges, columns, size, following, summand)
                    size += 1
                else:
                    final[ended] = summand
                    ended += 1
    return NONE, 0


@compiled
def reduce_all(
    numbers: Numbers, ends: Ends, others: int, bits: int, cleared: Integers
) -> tuple[Integers, Integers]:
    """Reduce all columns that are in no apparent pair, the last one first.

    The sum that belongs to a pivot is kept as those of its columns that have rows after it. One
    column is the table's item itself. Of others the item is ``-1 - start``, where ``pool[start]``
    is their number and they follow.

    Args:
        numbers: of the edges.
        ends: of the edges, (edges, 2).
        others: as above.
        bits: of a point.
        cleared: hash table of the columns that are pivots one degree below.

    Returns:
        Numbers of the last edges at birth and death in turn, NONE for a death that never comes,
        without bars that begin and end with the same edge; and the hash table of pivots.
    """
    n = points_in(numbers)
    words = np.uint64((n + 63) // 64)
    adjacent = np.zeros(np.uint64(n) * words, np.uint64)
    for edge in range(len(ends)):
        flip(adjacent, words, np.uint64(ends[edge, 0]), np.uint64(ends[edge, 1]))
    lune, among = np.empty(words, np.uint64), np.empty(words, np.uint64)
    minima = np.empty(n, np.int64)
    edges, columns = np.empty(ROOM, np.int64), np.empty(ROOM, np.int64)
    rows, final = np.empty(n + ROOM, np.int64), np.empty(ROOM, np.int64)
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
                size = NONE
                while size == NONE:
                    row, size = reduce_column(
                        numbers,
                        ends,
                        others,
                        bits,
                        column,
                        pivot,
                        item,
                        pool,
                        edges,
                        columns,
                        rows,
                        final,
                    )
                    if size == NONE:
                        edges, columns = doubled(edges), doubled(columns)
                        rows, final = doubled(rows), doubled(final)
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


def numbered(ends: Ends, n: int) -> Numbers:
    """Return the numbers of edges whose ends are known, in the form that takes less memory."""
    words = -(-n // WORD)
    rows = (n, 0) if len(ends) < SPARSE * n * n else (0, n)
    listed_rows, table_rows = rows
    numbers = Numbers(
        np.full((table_rows, words * WORD), ABSENT, np.int32),
        np.zeros((listed_rows, words), np.uint64),
        np.empty((listed_rows, words), np.uint16),
        np.empty(listed_rows, np.int64),
        np.empty(2 * len(ends) if listed_rows else 0, np.int32),
    )
    if listed_rows:
        fill_lists(ends, numbers.bits, numbers.before, numbers.starts, numbers.edges)
    else:
        fill_table(ends, numbers.table)
    return numbers


class Cohomology:
    """The cohomology of a complex on n points in degrees 2 and 3: edges go in, bars come out."""

    def __init__(self, n: int, edges: int) -> None:
        self._bits = max(1, (n - 1).bit_length())
        self._points = n
        self._ends = np.empty((edges, 2), np.uint16)
        self._added = 0

    def add(self, packed: Words, pairs: Words) -> None:
        """Number edges in order; see `fast_kernels.gather` for the arrays."""
        number_edges(packed, pairs, self._ends, self._added)
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
        numbers = numbered(self._ends, self._points)
        # Contiguous, so that the compiled code is that for one layout whatever their number.
        a, b, v = np.ascontiguousarray(triangles.T)
        negative = (numbers_of(numbers, a, b) << self._bits) | v
        cleared = np.full(1 << (2 * len(negative)).bit_length(), NONE, np.int64)
        rehash(negative, negative, cleared, np.empty_like(cleared))
        for degree in range(2, max_dim + 1):
            bars, cleared = reduce_all(numbers, self._ends, degree - 1, self._bits, cleared)
            yield bars.reshape(-1, 2)
