//! Arrays in shared memory, under MPI.
mod dist;
mod error;
mod grid;
mod init;
mod make;
mod node_array;
mod nodes;
mod op;
mod reduction;
mod sys;

pub use dist::{DistArray, DistArrayOptions, HaloRequest};
pub use error::{Error, Result};
pub use init::init;
pub use node_array::{NodeArray, NodeArrayOptions};
pub use nodes::{Nodes, NodesOptions};
pub use op::{Max, Min, Number, Op, Product, Sum};
pub use reduction::Reduction;
