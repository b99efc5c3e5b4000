//! From bytes to a header, whatever the bytes are.
//!
//! The dictionary is parsed by `ndarray-npy`. Its parser takes a buffer as long as the header claims, recurses with the
//! depth of brackets and tries some of them several times over, so length and depth are checked before it sees the text.

use std::io::{ErrorKind, Read};

use ndarray_npy::npy::header::{Header, Layout, ParseHeaderError, ReadHeaderError};

use super::header::{MAX_STRUCTS, PREFIX};
use super::{Dtype, HeaderError, MAX_AXES, NpyHeader, Order, descr};

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// The longest header text accepted: NumPy's own limit.
const MAX_TEXT: u64 = 10_000;

/// A plain dictionary nests two deep (`{(`); each struct takes two more (`{[(`), and the shape of a field one.
const MAX_DEPTH: usize = 2 + 2 * MAX_STRUCTS;

impl NpyHeader {
    /// Reads a header of NPY version 1.0, 2.0 or 3.0, and returns it with the offset at which the elements begin.
    ///
    /// Exactly the header is read; `reader` stands at the first element afterwards. Never panics, whatever the bytes are.
    ///
    /// ```
    /// use ndshm_array::npy::{HeaderError, NpyHeader};
    ///
    /// let refused = NpyHeader::decode(&b"PK\x03\x04 and so on"[..]);
    /// assert!(matches!(refused, Err(HeaderError::NotNpy)));
    /// ```
    ///
    /// # Errors
    ///
    /// [`HeaderError`] says what is wrong and what to do: not an NPY file, truncated, malformed, a dtype that is
    /// big-endian, object or otherwise unsupported, or a shape that overflows.
    pub fn decode(reader: impl Read) -> Result<(Self, usize), HeaderError> {
        Self::decode_expecting(reader, None)
    }

    /// The same, faster where the elements are of the expected type and the header was written here.
    pub(crate) fn decode_expecting(
        mut reader: impl Read,
        expected: Option<&Dtype>,
    ) -> Result<(Self, usize), HeaderError> {
        let mut bytes = Vec::with_capacity(128);
        if take(&mut reader, &mut bytes, 10)? < 10 {
            let begins_well = bytes.iter().zip(MAGIC).all(|(a, b)| a == b) && !bytes.is_empty();
            return Err(if begins_well { HeaderError::Truncated } else { HeaderError::NotNpy });
        }
        if !bytes.starts_with(MAGIC) {
            return Err(HeaderError::NotNpy);
        }
        let text_len = match (bytes[6], bytes[7]) {
            (1, 0) => u64::from(u16::from_le_bytes([bytes[8], bytes[9]])),
            (2 | 3, 0) => {
                if take(&mut reader, &mut bytes, 2)? < 2 {
                    return Err(HeaderError::Truncated);
                }
                u64::from(u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]))
            }
            (major, minor) => return Err(HeaderError::Version { major, minor }),
        };
        if text_len > MAX_TEXT {
            return Err(HeaderError::TooLong(text_len));
        }
        let text_start = bytes.len();
        if (take(&mut reader, &mut bytes, text_len)? as u64) < text_len {
            return Err(HeaderError::Truncated);
        }
        if let Some(header) = written_here(&bytes, expected) {
            return Ok((header, bytes.len()));
        }
        check_depth(&bytes[text_start..], 1)?;
        let parsed = Header::from_reader(&mut &bytes[..]).map_err(from_parser)?;
        Ok((checked(parsed)?, bytes.len()))
    }
}

/// Appends up to `count` bytes and returns how many came.
fn take(reader: &mut impl Read, bytes: &mut Vec<u8>, count: u64) -> Result<usize, HeaderError> {
    Ok(reader.by_ref().take(count).read_to_end(bytes)?)
}

/// The header of these bytes if they are, to the last one, what [`NpyHeader::encode`] makes of it.
///
/// The parser looks at each of the spaces that fill 4,096 bytes several times over: it took longer than all else that
/// opening an array does. What it would make of such bytes is known without it.
fn written_here(bytes: &[u8], expected: Option<&Dtype>) -> Option<NpyHeader> {
    let text = bytes.get(PREFIX.len()..bytes.len().checked_sub(1)?)?.trim_ascii_end();
    let text = std::str::from_utf8(text).ok()?.strip_prefix("{'descr': ")?;
    let (descr, text) = text.rsplit_once(", 'fortran_order': ")?;
    let descr = descr.strip_prefix('\'').and_then(|d| d.strip_suffix('\'')).unwrap_or(descr);
    let (order, axes) = text.strip_suffix("), }")?.split_once(", 'shape': (")?;
    let axes = axes.split(',').map(str::trim).filter(|axis| !axis.is_empty());
    let header = NpyHeader {
        dtype: match expected.filter(|expected| expected.descr() == descr) {
            Some(expected) => expected.clone(),
            None => Dtype::from_descr(descr).ok()?,
        },
        order: if order == "True" { Order::F } else { Order::C },
        shape: axes.map(|axis| axis.parse().ok()).collect::<Option<_>>()?,
    };
    let same = header.encode().is_ok_and(|encoded| encoded == bytes);
    (same && header.data_bytes().is_some()).then_some(header)
}

/// Refuses brackets nested deeper than any header needs, or otherwise than any does: lists in lists, and dictionaries within
/// anything, for which the parser takes far longer; one may stand where less than `dictionaries` brackets are open.
pub(super) fn check_depth(text: &[u8], dictionaries: usize) -> Result<(), HeaderError> {
    let (mut open, mut quote, mut escaped) = (Vec::with_capacity(MAX_DEPTH), None, false);
    for &byte in text {
        match (byte, quote) {
            _ if escaped => escaped = false,
            (b'\\', Some(_)) => escaped = true,
            (b'\'' | b'"', None) => quote = Some(byte),
            (_, Some(end)) if byte == end => quote = None,
            (b'(' | b'[' | b'{', None) => {
                let unusual = match byte {
                    b'{' => open.len() >= dictionaries,
                    b'[' => open.last() == Some(&b'['),
                    _ => false,
                };
                if unusual || open.len() == MAX_DEPTH {
                    let what = "brackets nest deeper than in any header that is read here";
                    return Err(HeaderError::Malformed(what.into()));
                }
                open.push(byte);
            }
            (b')' | b']' | b'}', None) => drop(open.pop()),
            _ => {}
        }
    }
    Ok(())
}

/// What the parser's errors mean, each in one short line.
fn from_parser(error: ReadHeaderError) -> HeaderError {
    use ParseHeaderError as P;
    let text = match error {
        ReadHeaderError::Io(error) if error.kind() == ErrorKind::UnexpectedEof => {
            return HeaderError::Truncated;
        }
        ReadHeaderError::Io(error) => return HeaderError::Io(error),
        ReadHeaderError::Parse(error) => match error {
            P::MagicString => return HeaderError::NotNpy,
            P::Version { major, minor } => return HeaderError::Version { major, minor },
            P::HeaderLengthOverflow(len) => return HeaderError::TooLong(u64::from(len)),
            P::NonAscii | P::Utf8Parse(_) => "its text is not readable".to_owned(),
            P::UnknownKey(_) => "it has a key other than descr, fortran_order and shape".to_owned(),
            // The crate misspells the key "shape" here, so none is named.
            P::MissingKey(_) => {
                "one of the keys descr, fortran_order and shape is missing".to_owned()
            }
            P::IllegalValue { key, .. } => format!("the value of {key} is not valid"),
            P::DictParse(_) | P::MetaNotDict(_) => "it is not a Python dictionary".to_owned(),
            P::MissingNewline => "it does not end in a newline".to_owned(),
        },
    };
    HeaderError::Malformed(text)
}

/// The parsed header, if it is of an array that can exist here.
fn checked(parsed: Header) -> Result<NpyHeader, HeaderError> {
    let dtype = descr::of_value(&parsed.type_descriptor)?;
    if parsed.shape.len() > MAX_AXES {
        return Err(HeaderError::TooManyAxes(parsed.shape.len()));
    }
    let header = NpyHeader {
        dtype,
        order: match parsed.layout {
            Layout::Standard => Order::C,
            Layout::Fortran => Order::F,
        },
        shape: parsed.shape,
    };
    match header.data_bytes() {
        Some(_) => Ok(header),
        None => Err(HeaderError::Overflow(header.shape)),
    }
}
