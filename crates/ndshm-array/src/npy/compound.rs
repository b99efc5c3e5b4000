//! Element types that are made of others: arrays of fixed size, structs.

use std::sync::Arc;

use super::Dtype;
use super::shared::Shared;

/// So many of another type, one after the other: what `[T; N]` is. NumPy calls it a subarray.
///
/// ```
/// use ndshm_array::{Element, npy::Dtype};
///
/// let Dtype::Array(array) = <[[f32; 3]; 2]>::DTYPE else { unreachable!() };
/// assert_eq!((array.shape(), array.base()), (vec![2, 3], &Dtype::F32));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ArrayDtype {
    element: Shared<Dtype>,
    len: usize,
    size: usize,
}

impl ArrayDtype {
    /// `len` of `element`.
    ///
    /// # Panics
    ///
    /// None of them, or more bytes than can be counted: at compile time, where it stands in a constant.
    ///
    /// ```
    /// use ndshm_array::{Element, npy::{ArrayDtype, Dtype}};
    ///
    /// const PAIR: Dtype = Dtype::Array(ArrayDtype::new(&Dtype::F64, 2));
    /// assert_eq!(&PAIR, <[f64; 2]>::DTYPE);
    /// ```
    #[must_use]
    pub const fn new(element: &'static Dtype, len: usize) -> Self {
        assert!(len > 0, "an array of nothing is no element: it has no bytes");
        let size = element.size().checked_mul(len).expect("the size of the array overflows");
        Self { element: Shared::Static(element), len, size }
    }

    /// The same of what a file says; `None` where [`new`](Self::new) panics.
    pub(super) fn read(element: Dtype, len: usize) -> Option<Self> {
        let size = element.size().checked_mul(len).filter(|&size| size > 0)?;
        Some(Self { element: Shared::Owned(Arc::new(element)), len, size })
    }

    /// Bytes of all of it.
    ///
    /// ```
    /// # use ndshm_array::{Element, npy::Dtype};
    /// let Dtype::Array(array) = <[[f32; 3]; 2]>::DTYPE else { unreachable!() };
    /// assert_eq!(array.size(), 24);
    /// ```
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// The type of what it is an array of: perhaps another array.
    ///
    /// ```
    /// # use ndshm_array::{Element, npy::Dtype};
    /// let Dtype::Array(array) = <[[f32; 3]; 2]>::DTYPE else { unreachable!() };
    /// assert_eq!(array.element(), <[f32; 3]>::DTYPE);
    /// ```
    #[must_use]
    pub fn element(&self) -> &Dtype {
        &self.element
    }

    /// How many of them.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The lengths of it and of the arrays within.
    ///
    /// ```
    /// # use ndshm_array::{Element, npy::Dtype};
    /// let Dtype::Array(array) = <[[f32; 3]; 2]>::DTYPE else { unreachable!() };
    /// assert_eq!(array.shape(), [2, 3]);
    /// ```
    #[must_use]
    pub fn shape(&self) -> Vec<usize> {
        let mut shape = vec![self.len];
        let mut element = self.element();
        while let Dtype::Array(inner) = element {
            shape.push(inner.len);
            element = inner.element();
        }
        shape
    }

    /// The type within all arrays.
    ///
    /// ```
    /// # use ndshm_array::{Element, npy::Dtype};
    /// let Dtype::Array(array) = <[[f32; 3]; 2]>::DTYPE else { unreachable!() };
    /// assert_eq!(array.base(), &Dtype::F32);
    /// ```
    #[must_use]
    pub fn base(&self) -> &Dtype {
        let mut element = self.element();
        while let Dtype::Array(inner) = element {
            element = inner.element();
        }
        element
    }
}

/// Fields with names and places: what a struct with `#[derive(Element)]` is. NumPy calls it structured.
///
/// ```
/// use ndshm_array::npy::Dtype;
///
/// let dtype = Dtype::from_descr("[('t', '<f8'), ('', '|V4'), ('n', '<i4')]")?; // four bytes of padding
/// let Dtype::Struct(structure) = dtype else { unreachable!() };
/// let places: Vec<_> = structure.fields().iter().map(|f| (f.name(), f.offset())).collect();
/// assert_eq!((places, structure.size()), (vec![("t", 0), ("n", 12)], 16));
/// # Ok::<(), ndshm_array::npy::HeaderError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StructDtype {
    /// In the order of their offsets, none over another.
    fields: Shared<[Field]>,
    size: usize,
}

/// A field of a [`StructDtype`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    name: Shared<str>,
    offset: usize,
    dtype: Shared<Dtype>,
}

impl Field {
    /// A field of that name, so many bytes from the start of the struct.
    ///
    /// ```
    /// use ndshm_array::npy::{Dtype, Field};
    ///
    /// const N: Field = Field::new("n", 12, &Dtype::I32);
    /// assert_eq!((N.name(), N.offset(), N.dtype()), ("n", 12, &Dtype::I32));
    /// ```
    #[must_use]
    pub const fn new(name: &'static str, offset: usize, dtype: &'static Dtype) -> Self {
        Self { name: Shared::Static(name), offset, dtype: Shared::Static(dtype) }
    }

    /// The same of what a file says.
    pub(super) fn read(name: &str, offset: usize, dtype: Dtype) -> Self {
        let dtype = Shared::Owned(Arc::new(dtype));
        Self { name: Shared::Owned(name.into()), offset, dtype }
    }

    /// Its name.
    ///
    /// ```
    /// # use ndshm_array::npy::{Dtype, Field};
    /// let field = Field::new("n", 12, &Dtype::I32);
    /// assert_eq!(field.name(), "n");
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it begins, in bytes from the start of the struct.
    ///
    /// ```
    /// # use ndshm_array::npy::{Dtype, Field};
    /// let field = Field::new("n", 12, &Dtype::I32);
    /// assert_eq!(field.offset(), 12);
    /// ```
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Its type.
    ///
    /// ```
    /// # use ndshm_array::npy::{Dtype, Field};
    /// let field = Field::new("n", 12, &Dtype::I32);
    /// assert_eq!(field.dtype().name(), "int32");
    /// ```
    #[must_use]
    pub fn dtype(&self) -> &Dtype {
        &self.dtype
    }

    /// Where it ends; `None` where that overflows.
    const fn end(&self) -> Option<usize> {
        let size = match &self.dtype {
            Shared::Static(dtype) => dtype.size(),
            Shared::Owned(_) => panic!("what is read is checked by `StructDtype::read`"),
        };
        self.offset.checked_add(size)
    }
}

impl StructDtype {
    /// Of fields in the order in which they lie; what of `size` is in none of them is padding.
    ///
    /// # Panics
    ///
    /// There is no field, one lies over another, or beyond `size`: at compile time, where it stands in a constant.
    ///
    /// ```
    /// use ndshm_array::npy::{Dtype, Field, StructDtype};
    ///
    /// const FIELDS: &[Field] = &[Field::new("t", 0, &Dtype::F64), Field::new("n", 12, &Dtype::I32)];
    /// const DTYPE: Dtype = Dtype::Struct(StructDtype::new(FIELDS, 16));
    /// assert_eq!(DTYPE.descr(), "[('t', '<f8'), ('', '|V4'), ('n', '<i4')]");
    /// ```
    #[must_use]
    pub const fn new(fields: &'static [Field], size: usize) -> Self {
        assert!(!fields.is_empty(), "a struct without fields is no element");
        let (mut at, mut i) = (0, 0);
        while i < fields.len() {
            assert!(fields[i].offset >= at, "a field begins before the one before it ends");
            at = fields[i].end().expect("the end of a field overflows");
            i += 1;
        }
        assert!(at <= size, "the last field ends beyond the struct");
        Self { fields: Shared::Static(fields), size }
    }

    /// The same of what a file says: there is a field, they lie one after the other, and all within `size`.
    pub(super) fn read(fields: Vec<Field>, size: usize) -> Self {
        Self { fields: Shared::Owned(fields.into()), size }
    }

    /// Bytes of all of it, padding included.
    ///
    /// ```
    /// # use ndshm_array::npy::Dtype;
    /// let dtype = Dtype::from_descr("[('t', '<f8'), ('n', '<i4'), ('', '|V4')]")?;
    /// let Dtype::Struct(structure) = dtype else { unreachable!() };
    /// assert_eq!(structure.size(), 16);
    /// # Ok::<(), ndshm_array::npy::HeaderError>(())
    /// ```
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// The fields, in the order in which they lie.
    ///
    /// ```
    /// # use ndshm_array::npy::Dtype;
    /// let dtype = Dtype::from_descr("[('t', '<f8'), ('n', '<i4'), ('', '|V4')]")?;
    /// let Dtype::Struct(structure) = dtype else { unreachable!() };
    /// assert_eq!(structure.fields().len(), 2);
    /// # Ok::<(), ndshm_array::npy::HeaderError>(())
    /// ```
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The field of that name.
    ///
    /// ```
    /// # use ndshm_array::npy::Dtype;
    /// let dtype = Dtype::from_descr("[('t', '<f8'), ('n', '<i4'), ('', '|V4')]")?;
    /// let Dtype::Struct(structure) = dtype else { unreachable!() };
    /// assert_eq!(structure.field("n").map(|field| field.offset()), Some(8));
    /// assert!(structure.field("x").is_none());
    /// # Ok::<(), ndshm_array::npy::HeaderError>(())
    /// ```
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name() == name)
    }
}
