//! What is read out of a file once, because every rule asks for it: the paths it names, and the functions that may panic.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::ops::RangeInclusive;
use syn::{spanned::Spanned, visit::Visit};

/// Every `a::b::c` with its line, `use` groups unfolded, macros included.
pub(crate) fn collect_paths(tokens: TokenStream, prefix: &str, found: &mut Vec<(usize, String)>) {
    let (mut run, mut joined, mut colons) = (prefix.to_owned(), !prefix.is_empty(), 0);
    for token in tokens {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == ':' => {
                colons += 1;
                if colons == 2 && !run.is_empty() {
                    run.push_str("::");
                    joined = true;
                }
                continue;
            }
            TokenTree::Ident(ident) => {
                if !joined {
                    run.clear();
                }
                run.push_str(&ident.to_string());
                joined = false;
                found.push((ident.span().start().line, run.clone()));
            }
            TokenTree::Group(group) => {
                let inside = if joined && group.delimiter() == Delimiter::Brace { run.as_str() } else { "" };
                collect_paths(group.stream(), inside, found);
                (run, joined) = (prefix.to_owned(), !prefix.is_empty());
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {
                (run, joined) = (prefix.to_owned(), !prefix.is_empty());
            }
        }
        colons = 0;
    }
}

/// Lines of the functions that allow a lint, with a reason: clippy checks that they need it.
#[derive(Default)]
pub(crate) struct Excused(pub(crate) Vec<RangeInclusive<usize>>);

impl Excused {
    fn add(&mut self, attributes: &[syn::Attribute], item: &impl Spanned) {
        let has_reason = |attribute: &syn::Attribute| match &attribute.meta {
            syn::Meta::List(list) => list.tokens.to_string().contains("reason ="),
            _ => false,
        };
        if attributes.iter().any(has_reason) {
            let span = item.span();
            self.0.push(span.start().line..=span.end().line);
        }
    }
}

impl<'ast> Visit<'ast> for Excused {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.add(&item.attrs, item);
    }
    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.add(&item.attrs, item);
    }
}
