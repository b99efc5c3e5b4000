//! Arrays that the leader of a node makes, and its other ranks attach to.

use std::fmt::Write;

use ndarray::Dimension;
use ndshm_array::{ArrayHandle, ArrayOptions, Element, SharedArray};

use crate::error::{Error, Result};
use crate::nodes::Nodes;

/// How the memory of a node is made: a name, and what else [`ArrayOptions`] has.
#[derive(Clone, Debug)]
pub(crate) struct Making<T, D> {
    pub(crate) name: Option<String>,
    pub(crate) options: ArrayOptions<T, D>,
}

impl<T: Element, D: Dimension> Making<T, D> {
    pub(crate) fn new() -> Self {
        Self { name: None, options: SharedArray::options() }
    }

    /// Has all ranks say alike what is made.
    pub(crate) fn agree(&self, nodes: &Nodes, shape: &[usize], more: &str) -> Result<()> {
        let mut said = format!("{} {shape:?}", T::DTYPE);
        if let Some(name) = &self.name {
            // Writing to a string does not fail.
            let _ = write!(said, " named {name}");
        }
        nodes.same("the array to be made", said + more)
    }

    /// The array of this node, of zeros. Collective; the shape is the same within a node.
    pub(crate) fn make(&self, nodes: &Nodes, shape: D) -> Result<SharedArray<T, D>> {
        let options = match &self.name {
            // Nodes that are parts of a machine share its names.
            Some(name) if nodes.is_partial() => {
                self.options.clone().name(format!("{name}.{}", nodes.node()))
            }
            Some(name) => self.options.clone().name(name.as_str()),
            None => self.options.clone(),
        };
        let made = match nodes.is_leader() {
            true => options.zeros(shape).map(Some).map_err(Error::from),
            false => Ok(None),
        };
        // Here the others sleep while the leader reserves memory.
        let made = nodes.settle(made)?;
        let handle = made.as_ref().map(|made| postcard::to_stdvec(&made.handle())).transpose();
        let handle = nodes.leaders_bytes(handle.ok().flatten().unwrap_or_default())?;
        let attached = made.map_or_else(|| attach(&handle), Ok);
        // The leader's descriptor is what the others open: it stays until they have.
        nodes.settle(attached)
    }
}

fn attach<T: Element, D: Dimension>(handle: &[u8]) -> Result<SharedArray<T, D>> {
    let handle: ArrayHandle<T, D> =
        postcard::from_bytes(handle).map_err(|e| Error::Meeting(e.into()))?;
    // SAFETY: the leader of this node has just made it; whoever gets at it there does so through ndshm.
    Ok(unsafe { handle.open() }?)
}
