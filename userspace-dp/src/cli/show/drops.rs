//! `show drops`: every reason, zero rows included.

use super::cell;
use crate::api::Drops;
use crate::cli::colour::Paint;
use crate::cli::table::{Table, number, text};

pub(super) fn render(drops: &Drops, paint: Paint) -> String {
    let columns =
        [number("count"), text("stage"), text("reason"), text("severity"), text("meaning")];
    let mut table = Table::new(columns);
    for drop in &drops.drops {
        table.row([
            cell(drop.count),
            drop.stage.clone(),
            drop.reason.clone(),
            drop.severity.clone(),
            drop.help.clone(),
        ]);
    }
    table.render(paint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Drop;

    #[test]
    fn a_reason_that_never_occurred_keeps_its_row() {
        let drop = |stage: &str, reason: &str, severity: &str, count, help: &str| Drop {
            stage: stage.into(),
            reason: reason.into(),
            severity: severity.into(),
            count,
            help: help.into(),
        };
        let drops = vec![
            drop("parse", "truncated", "info", 0, "shorter than its headers say"),
            drop("policy", "policy_deny", "info", 1234567, "a rule denies it, or none allows it"),
        ];
        let expected = "  count  stage   reason       severity  meaning
      0  parse   truncated    info      shorter than its headers say
1234567  policy  policy_deny  info      a rule denies it, or none allows it
";
        assert_eq!(render(&Drops { taken_at_unix: 0, drops }, Paint::Plain), expected);
    }
}
