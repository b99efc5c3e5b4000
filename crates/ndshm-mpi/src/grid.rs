//! How an array is divided among nodes: arithmetic, without any message.

use std::ops::Range;

use crate::error::{Error, Result};

/// Axes with halos: each way among them has a tag, and MPI promises 32,767.
const MOST_HALOS: usize = 9;

/// The tags that these take.
pub(crate) const MOST_WAYS: usize = 3_usize.pow(MOST_HALOS as u32);

/// The part of `0..n` that the `i`th of `parts` has: contiguous, in order, as even as possible.
pub(crate) fn split(n: usize, parts: usize, i: usize) -> Range<usize> {
    let (each, more) = (n / parts, n % parts);
    let start = i * each + i.min(more);
    start..start + each + usize::from(i < more)
}

/// Which of `parts` has index `i` of `0..n`.
fn part_of(n: usize, parts: usize, i: usize) -> usize {
    let (each, more) = (n / parts, n % parts);
    match i.checked_sub(more * (each + 1)) {
        Some(beyond) => more + beyond / each.max(1),
        None => i / (each + 1),
    }
}

/// What both have.
pub(crate) fn overlap(a: &[Range<usize>], b: &[Range<usize>]) -> Option<Vec<Range<usize>>> {
    let both = a.iter().zip(b).map(|(a, b)| a.start.max(b.start)..a.end.min(b.end));
    let both: Vec<_> = both.collect();
    both.iter().all(|range| range.start < range.end).then_some(both)
}

/// How many indices there are in a part.
pub(crate) fn volume(part: &[Range<usize>]) -> usize {
    part.iter().map(ExactSizeIterator::len).product()
}

/// An array of a shape, divided along its axes into a grid of blocks with margins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) shape: Vec<usize>,
    /// Blocks along each axis.
    pub(crate) blocks: Vec<usize>,
    /// Width of the margin at both ends of each axis.
    pub(crate) halo: Vec<usize>,
    pub(crate) periodic: Vec<bool>,
}

impl Grid {
    /// Checks that it fits: one block for each node, margins not wider than what they are filled from.
    ///
    /// `grid` is of the first axes, or nothing: then the first two or fewer are divided such that the surfaces of blocks are small.
    pub(crate) fn new(
        shape: &[usize],
        nodes: usize,
        grid: Option<&[usize]>,
        halo: Vec<usize>,
        periodic: Vec<bool>,
    ) -> Result<Self> {
        let axes = shape.len();
        let one_each = |what, given| match given == axes {
            true => Ok(()),
            false => Err(Error::Axes { what, given, axes }),
        };
        if axes == 0 {
            let (grid, why) = (grid.unwrap_or_default().to_vec(), "there is no axis to divide");
            return Err(Error::Grid { grid, nodes, axes, why });
        }
        one_each("widths of halos", halo.len())?;
        one_each("axes that are periodic or not", periodic.len())?;
        let mut blocks = match grid {
            Some(grid) => {
                let why = if grid.len() > axes {
                    "it has more axes than the array"
                } else if grid.iter().try_fold(1_usize, |n, &p| n.checked_mul(p)) != Some(nodes) {
                    "its product has to be the number of nodes"
                } else {
                    ""
                };
                if !why.is_empty() {
                    return Err(Error::Grid { grid: grid.to_vec(), nodes, axes, why });
                }
                grid.to_vec()
            }
            None => balanced(&shape[..axes.min(2)], nodes),
        };
        blocks.resize(axes, 1);
        for axis in 0..axes {
            let (extent, width) = (shape[axis] / blocks[axis].max(1), halo[axis]);
            let filled = blocks[axis] > 1 || periodic[axis];
            // Its memory has indices, too.
            let indices = width.checked_mul(2).and_then(|both| both.checked_add(shape[axis]));
            if filled && width > extent || indices.is_none() {
                return Err(Error::Halo { axis, width, extent });
            }
        }
        let grid = Self { shape: shape.to_vec(), blocks, halo, periodic };
        if grid.exchanged().len() > MOST_HALOS {
            let why = "there may be halos along nine axes at most";
            return Err(Error::Grid { grid: grid.blocks, nodes, axes, why });
        }
        Ok(grid)
    }

    /// Where on the grid that block is.
    fn coordinates(&self, node: usize) -> Vec<usize> {
        let mut rest = node;
        let mut at = vec![0; self.blocks.len()];
        for (at, &blocks) in at.iter_mut().zip(&self.blocks).rev() {
            (*at, rest) = (rest % blocks, rest / blocks);
        }
        at
    }

    fn node(&self, at: &[usize]) -> usize {
        at.iter().zip(&self.blocks).fold(0, |node, (at, blocks)| node * blocks + at)
    }

    /// The indices of the whole array that the block has, without margins.
    pub(crate) fn block(&self, node: usize) -> Vec<Range<usize>> {
        let at = self.coordinates(node);
        let axes = self.shape.iter().zip(&self.blocks).zip(at);
        axes.map(|((&n, &blocks), at)| split(n, blocks, at)).collect()
    }

    /// Whose block has that index, which is within.
    pub(crate) fn owner(&self, index: &[usize]) -> usize {
        let axes = self.shape.iter().zip(&self.blocks).zip(index);
        let at: Vec<_> = axes.map(|((&n, &blocks), &i)| part_of(n, blocks, i)).collect();
        self.node(&at)
    }

    /// The shape of a block with its margins.
    pub(crate) fn local_shape(&self, block: &[Range<usize>]) -> Vec<usize> {
        block.iter().zip(&self.halo).map(|(range, halo)| range.len() + 2 * halo).collect()
    }

    /// A part of the whole array in indices of the block's memory; both within the block.
    pub(crate) fn local(&self, block: &[Range<usize>], part: &[Range<usize>]) -> Vec<Range<usize>> {
        let axes = part.iter().zip(block).zip(&self.halo);
        axes.map(|((part, block), halo)| {
            let offset = |i: usize| i - block.start + halo;
            offset(part.start)..offset(part.end)
        })
        .collect()
    }

    /// Axes along which something is exchanged.
    fn exchanged(&self) -> Vec<usize> {
        let has =
            |axis: &usize| self.halo[*axis] > 0 && (self.blocks[*axis] > 1 || self.periodic[*axis]);
        (0..self.shape.len()).filter(has).collect()
    }

    /// With whom that block exchanges halos, and what.
    pub(crate) fn legs(&self, node: usize, corners: bool) -> Vec<Leg> {
        let (at, block, exchanged) = (self.coordinates(node), self.block(node), self.exchanged());
        let ways = 3_usize.pow(exchanged.len() as u32);
        let mut legs = Vec::new();
        // The number of a way is its steps, -1, 0 or 1 along each axis, as digits.
        for number in 0..ways {
            let mut steps = vec![0_i8; self.shape.len()];
            let mut rest = number;
            for &axis in &exchanged {
                steps[axis] = (rest % 3) as i8 - 1;
                rest /= 3;
            }
            let turns = steps.iter().filter(|step| **step != 0).count();
            if turns == 0 || turns > 1 && !corners {
                continue;
            }
            let Some(neighbour) = self.neighbour(&at, &steps) else { continue };
            let slab = |axis: usize, inner: bool| {
                let (len, halo) = (block[axis].len(), self.halo[axis]);
                match (steps[axis], inner) {
                    (0, _) => halo..halo + len,
                    (1, true) => len..len + halo,
                    (1, false) => halo + len..len + 2 * halo,
                    (_, true) => halo..2 * halo,
                    (_, false) => 0..halo,
                }
            };
            let axes = 0..self.shape.len();
            let send: Vec<_> = axes.clone().map(|axis| slab(axis, true)).collect();
            let receive: Vec<_> = axes.map(|axis| slab(axis, false)).collect();
            if volume(&send) > 0 {
                // What comes from there went the other way.
                let (send_tag, receive_tag) = (number, ways - 1 - number);
                legs.push(Leg { neighbour, send, receive, send_tag, receive_tag });
            }
        }
        legs
    }

    /// Whose block is next to that one in those directions.
    fn neighbour(&self, at: &[usize], steps: &[i8]) -> Option<usize> {
        let mut to = at.to_vec();
        for (axis, step) in steps.iter().enumerate() {
            let blocks = self.blocks[axis];
            to[axis] = match (step, at[axis]) {
                (0, at) => at,
                (1, at) if at + 1 < blocks => at + 1,
                (-1, at) if at > 0 => at - 1,
                _ if !self.periodic[axis] => return None,
                (1, _) => 0,
                _ => blocks - 1,
            };
        }
        Some(self.node(&to))
    }
}

/// What is exchanged with one neighbour, in indices of this block's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leg {
    pub(crate) neighbour: usize,
    pub(crate) send: Vec<Range<usize>>,
    pub(crate) receive: Vec<Range<usize>>,
    pub(crate) send_tag: usize,
    pub(crate) receive_tag: usize,
}

/// As many blocks as nodes along the axes of that shape, such that the surfaces between them are smallest, counted in elements.
fn balanced(shape: &[usize], nodes: usize) -> Vec<usize> {
    let &[rows, columns] = shape else { return shape.iter().map(|_| nodes).collect() };
    // Cuts across an axis have the length of the other one. Of equals the one with more cuts across rows, whose
    // halos are contiguous.
    let cost =
        |p: usize| ((p - 1) as u128 * columns as u128) + ((nodes / p - 1) as u128 * rows as u128);
    let fits = |p: usize| (p <= rows) as u8 + (nodes / p <= columns) as u8;
    let ways = (1..=nodes).filter(|p| nodes.is_multiple_of(*p));
    let best = ways.min_by_key(|&p| (2 - fits(p), cost(p), nodes - p)).unwrap_or(nodes);
    vec![best, nodes / best]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_tile_and_are_found_again() {
        for n in 0..40 {
            for parts in 1..12 {
                let all: Vec<_> = (0..parts).flat_map(|i| split(n, parts, i)).collect();
                assert_eq!(all, (0..n).collect::<Vec<_>>());
                assert!((0..n).all(|i| split(n, parts, part_of(n, parts, i)).contains(&i)));
            }
        }
    }

    #[test]
    fn grids_have_small_surfaces() {
        assert_eq!(balanced(&[100, 100], 4), [2, 2]);
        assert_eq!(balanced(&[100, 100], 2), [2, 1]);
        assert_eq!(balanced(&[100, 1000], 4), [1, 4]);
        assert_eq!(balanced(&[1000, 10], 6), [6, 1]);
        assert_eq!(balanced(&[2, 1000], 7), [1, 7]);
        assert_eq!(balanced(&[9], 7), [7]);
    }

    #[test]
    fn every_leg_has_its_counterpart() {
        for periodic in [false, true] {
            let grid = Grid::new(&[7, 9], 6, Some(&[3, 2]), vec![2, 1], vec![periodic, !periodic]);
            let grid = grid.unwrap();
            for node in 0..6 {
                for leg in grid.legs(node, true) {
                    let there = grid.legs(leg.neighbour, true);
                    let back = there.iter().filter(|other| {
                        other.neighbour == node && other.receive_tag == leg.send_tag
                    });
                    let back: Vec<_> = back.collect();
                    assert_eq!(back.len(), 1);
                    let shape = |part: &[Range<usize>]| {
                        part.iter().map(ExactSizeIterator::len).collect::<Vec<_>>()
                    };
                    assert_eq!(shape(&back[0].receive), shape(&leg.send));
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let grid = |grid: Option<&[usize]>, halo: usize| {
            Grid::new(&[6, 6], 4, grid, vec![halo; 2], vec![false; 2])
        };
        assert!(matches!(grid(Some(&[3, 1]), 0), Err(Error::Grid { nodes: 4, .. })));
        assert!(matches!(grid(Some(&[2, 2, 1]), 0), Err(Error::Grid { axes: 2, .. })));
        assert!(matches!(grid(Some(&[4]), 2), Err(Error::Halo { axis: 0, extent: 1, .. })));
        assert!(grid(Some(&[2, 2]), 3).is_ok());
        let none = Grid::new(&[], 1, None, vec![], vec![]);
        assert!(matches!(none, Err(Error::Grid { axes: 0, .. })));
        let wrong = Grid::new(&[6, 6], 4, None, vec![1], vec![false; 2]);
        assert!(matches!(wrong, Err(Error::Axes { given: 1, .. })));
    }
}
