//! Merging drop-ins: tables are merged, arrays of tables appended, anything set twice is reported.

use super::Misfit;
use crate::key::{Key, Step};
use crate::text::Invalid;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Merges `from` into `into`. `at` is the path of the table.
pub(super) fn merge<'t>(
    into: &mut DeTable<'t>,
    from: DeTable<'t>,
    at: &Key,
    misfits: &mut Vec<Misfit>,
) {
    for (name, value) in from {
        let key = at.with(Step::Field(name.get_ref().to_string()));
        let Some(present) = into.get_mut(name.get_ref().as_ref()) else {
            into.insert(name, value);
            continue;
        };
        let span = name.span();
        match (present.get_mut(), value.into_inner()) {
            (DeValue::Table(present), DeValue::Table(more)) => merge(present, more, &key, misfits),
            (DeValue::Array(present), DeValue::Array(more))
                if holds_tables(present) && holds_tables(&more) =>
            {
                more.into_iter().for_each(|item| present.push(item));
            }
            // Every file may state its format's version, as long as they agree.
            (DeValue::Integer(present), DeValue::Integer(again))
                if *key.steps() == [Step::Field("version".into())]
                    && present.as_str() == again.as_str() => {}
            _ => misfits.push(Misfit {
                key,
                span,
                invalid: Invalid::new("set twice", "one setting in one file"),
            }),
        }
    }
}

fn holds_tables(array: &[Spanned<DeValue<'_>>]) -> bool {
    array.iter().all(|item| item.get_ref().is_table())
}

/// Moves every span of a table by `base`.
pub(super) fn shift_table(table: DeTable<'_>, base: usize) -> DeTable<'_> {
    table
        .into_iter()
        .map(|(name, value)| {
            let span = name.span();
            let name = Spanned::new(span.start + base..span.end + base, name.into_inner());
            (name, shift(value, base))
        })
        .collect()
}

fn shift(value: Spanned<DeValue<'_>>, base: usize) -> Spanned<DeValue<'_>> {
    let span = value.span();
    let moved = match value.into_inner() {
        DeValue::Table(table) => DeValue::Table(shift_table(table, base)),
        DeValue::Array(array) => {
            DeValue::Array(array.into_iter().map(|item| shift(item, base)).collect())
        }
        scalar @ (DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)) => scalar,
    };
    Spanned::new(span.start + base..span.end + base, moved)
}
