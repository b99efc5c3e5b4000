//! What a struct says of itself and of its fields.

use proc_macro2::Span;
use syn::ext::IdentExt as _;
use syn::{Attribute, Data, DeriveInput, Error, Fields, Index, Member, Result, Type};

/// How a struct lies in memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Its fields in order.
    C,
    /// As its only field.
    Transparent,
}

/// A field as NumPy sees it.
pub(crate) struct Field<'a> {
    pub(crate) member: Member,
    pub(crate) ty: &'a Type,
    /// None of what is padding.
    pub(crate) name: Option<String>,
}

impl Field<'_> {
    /// The field as messages name it.
    pub(crate) fn label(&self) -> String {
        match &self.member {
            Member::Named(name) => name.to_string(),
            Member::Unnamed(index) => index.index.to_string(),
        }
    }
}

pub(crate) fn layout(input: &DeriveInput) -> Result<Layout> {
    let mut found = None;
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("repr")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("C") {
                found = Some(Layout::C);
            } else if meta.path.is_ident("transparent") {
                found = Some(Layout::Transparent);
            } else if meta.input.peek(syn::token::Paren) {
                // `align(8)`, `packed(2)`: rustc checks what is in there.
                let inner;
                syn::parenthesized!(inner in meta.input);
                inner.parse::<proc_macro2::TokenStream>()?;
            }
            Ok(())
        })?;
    }
    found.ok_or_else(|| {
        let name = &input.ident;
        Error::new_spanned(
            name,
            format_args!(
                "`{name}` needs #[repr(C)]: without it each program may lay its fields out otherwise"
            ),
        )
    })
}

pub(crate) fn fields(input: &DeriveInput) -> Result<Vec<Field<'_>>> {
    let name = &input.ident;
    let error = |why: &str| Err(Error::new_spanned(name, format_args!("`{name}` {why}")));
    if let Some(parameter) = input.generics.params.first() {
        let why = "an element of shared arrays has no parameters: write one struct for each type";
        return Err(Error::new_spanned(parameter, why));
    }
    let fields = match &input.data {
        Data::Struct(data) => &data.fields,
        Data::Enum(_) => {
            return error(
                "is an enum, of which not every byte that another process may write is a value: \
                 keep its number in an array of u8, or in a struct, and check it where it is read",
            );
        }
        Data::Union(_) => return error("is a union, which NumPy cannot describe: use a struct"),
    };
    if fields.is_empty() {
        return error("has no fields, and so no bytes that could be shared: give it one");
    }
    named(fields)
}

fn named(fields: &Fields) -> Result<Vec<Field<'_>>> {
    let mut out = Vec::new();
    for (i, field) in fields.iter().enumerate() {
        let (member, name, span) = match &field.ident {
            Some(ident) => (ident.clone().into(), ident.unraw().to_string(), ident.span()),
            None => (Index::from(i).into(), format!("f{i}"), Span::call_site()),
        };
        let padding = is_padding(&field.attrs)?;
        if !padding && !name.is_ascii() {
            let why = "NumPy's headers want field names of ASCII letters";
            return Err(Error::new(span, why));
        }
        out.push(Field { member, ty: &field.ty, name: (!padding).then_some(name) });
    }
    Ok(out)
}

/// Whether it has `#[element(padding)]`.
fn is_padding(attributes: &[Attribute]) -> Result<bool> {
    let mut padding = false;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("element")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("padding") {
                return Err(meta.error("the only thing to say here is #[element(padding)]"));
            }
            padding = true;
            Ok(())
        })?;
    }
    Ok(padding)
}
