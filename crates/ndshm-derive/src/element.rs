//! The code that is written.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{DeriveInput, Error, Result};

use crate::fields::{Field, Layout, fields, layout};

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream> {
    let fields = fields(input)?;
    let layout = layout(input)?;
    let (name, krate) = (&input.ident, ndshm_array());
    let (list, dtype) = match layout {
        Layout::Transparent => {
            let [Field { ty, name: Some(_), .. }] = &fields[..] else {
                let why = "a transparent element has one field, which is not padding";
                return Err(Error::new_spanned(name, why));
            };
            let element = as_element(ty, &krate);
            (TokenStream::new(), quote! { #element::DTYPE })
        }
        Layout::C => {
            if fields.iter().all(|field| field.name.is_none()) {
                let why = "there is nothing but padding in it: give it a field";
                return Err(Error::new_spanned(name, why));
            }
            let size = quote! { ::core::mem::size_of::<#name>() };
            let dtype = quote! { &#krate::npy::Dtype::Struct(#krate::npy::StructDtype::new(FIELDS, #size)) };
            (list(name, &fields, &krate), dtype)
        }
    };
    let (no_padding, padding) = (no_padding(name, &fields), padding(&fields, &krate));
    Ok(quote! {
        const _: () = {
            #no_padding
            #padding
            #list

            // SAFETY: all fields are elements, of which zeros are a value.
            #[automatically_derived]
            unsafe impl #krate::derive::Zeroable for #name {}
            // SAFETY: all fields are elements and so `Pod`, and there is no padding, as asserted above.
            #[automatically_derived]
            unsafe impl #krate::derive::Pod for #name {}
            // SAFETY: the fields are those of the struct, by name, place and type.
            #[automatically_derived]
            unsafe impl #krate::Element for #name {
                const DTYPE: &'static #krate::npy::Dtype = #dtype;
            }
        };
    })
}

/// The fields as the dtype has them.
fn list(name: &Ident, fields: &[Field<'_>], krate: &TokenStream) -> TokenStream {
    let entries = fields.iter().filter_map(|field| {
        let (label, member) = (field.name.as_ref()?, &field.member);
        let element = as_element(field.ty, krate);
        let offset = quote! { ::core::mem::offset_of!(#name, #member) };
        Some(quote! { #krate::npy::Field::new(#label, #offset, #element::DTYPE) })
    });
    quote! { const FIELDS: &[#krate::npy::Field] = &[#(#entries),*]; }
}

/// Asserts that what is padding is made of elements, too; the other fields are named in the list.
fn padding(fields: &[Field<'_>], krate: &TokenStream) -> TokenStream {
    let unnamed = fields.iter().filter(|field| field.name.is_none());
    let elements = unnamed.map(|field| as_element(field.ty, krate));
    quote! { #(const _: &#krate::npy::Dtype = #elements::DTYPE;)* }
}

/// Asserts that each field begins where the one before it ends, and the struct ends with the last.
fn no_padding(name: &Ident, fields: &[Field<'_>]) -> TokenStream {
    const REMEDY: &str = "its bytes have no value that could be shared. Put a field of so many bytes there, \
                          `#[element(padding)] _pad: [u8; N]`, or order the fields by size, largest first";
    let mut checks = TokenStream::new();
    for (i, field) in fields.iter().enumerate() {
        let (member, ty, label) = (&field.member, field.ty, field.label());
        let end =
            quote! { ::core::mem::offset_of!(#name, #member) + ::core::mem::size_of::<#ty>() };
        let (next, place) = match fields.get(i + 1) {
            Some(next) => {
                let (member, next) = (&next.member, next.label());
                (
                    quote! { ::core::mem::offset_of!(#name, #member) },
                    format!("between the fields `{label}` and `{next}` of `{name}`"),
                )
            }
            None => (
                quote! { ::core::mem::size_of::<#name>() },
                format!("after the last field `{label}` of `{name}`"),
            ),
        };
        let message = format!("there is padding {place}: {REMEDY}");
        checks.extend(quote_spanned! { field.member.span() =>
            ::core::assert!(#end == #next, #message);
        });
    }
    let aligned = format!("`{name}` is aligned to more than 4096, where the elements begin");
    quote! {
        const _: () = {
            #checks
            ::core::assert!(::core::mem::align_of::<#name>() <= 4096, #aligned);
        };
    }
}

/// `<T as Element>`, complained of at the type where it is none.
fn as_element(ty: &syn::Type, krate: &TokenStream) -> TokenStream {
    quote_spanned! { ty.span() => <#ty as #krate::Element> }
}

/// The path to ndshm-array from where the macro is used: direct, or through the facade.
fn ndshm_array() -> TokenStream {
    let path = |found: FoundCrate, own: &str| {
        let name = match found {
            FoundCrate::Itself => own.to_owned(),
            FoundCrate::Name(name) => name,
        };
        let name = Ident::new(&name, Span::call_site());
        quote! { ::#name }
    };
    match (crate_name("ndshm-array"), crate_name("ndshm")) {
        (Ok(found), _) => path(found, "ndshm_array"),
        (_, Ok(found)) => {
            let facade = path(found, "ndshm");
            quote! { #facade::array }
        }
        _ => quote! { ::ndshm_array },
    }
}
