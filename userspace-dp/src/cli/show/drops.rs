//! `show drops`: what was dropped and why.
//!
//! By default only the reasons that occurred, and those that never should: a fault at zero is worth seeing, too.

use super::{Rows, cell};
use crate::api::{Drop, Drops};
use crate::cli::colour::Paint;
use crate::cli::table::{Table, number, text};

/// The severity of what never should occur.
const FAULT: &str = "fault";

pub(super) fn render(drops: &Drops, rows: Rows, paint: Paint) -> String {
    let columns =
        [number("count"), text("stage"), text("reason"), text("severity"), text("meaning")];
    let mut table = Table::new(columns);
    let shown = |drop: &&Drop| rows == Rows::All || drop.count > 0 || drop.severity == FAULT;
    for drop in drops.drops.iter().filter(shown) {
        table.row([
            cell(drop.count),
            drop.stage.clone(),
            drop.reason.clone(),
            drop.severity.clone(),
            drop.help.clone(),
        ]);
    }
    let left_out = drops.drops.iter().filter(|drop| !shown(drop)).count();
    table.render(paint) + &said(left_out)
}

/// What is not in the table.
fn said(left_out: usize) -> String {
    match left_out {
        0 => String::new(),
        1 => "\n1 more reason stands at zero; --all shows it\n".to_owned(),
        _ => format!("\n{left_out} more reasons stand at zero; --all shows them\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drops() -> Drops {
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
            drop("egress", "frame_error", "fault", 0, "a defect"),
        ];
        Drops { taken_at_unix: 0, drops }
    }

    #[test]
    fn reasons_that_occurred_and_faults_are_shown_and_the_others_counted() {
        let expected = "  count  stage   reason       severity  meaning
1234567  policy  policy_deny  info      a rule denies it, or none allows it
      0  egress  frame_error  fault     a defect

1 more reason stands at zero; --all shows it
";
        assert_eq!(render(&drops(), Rows::Telling, Paint::Plain), expected);
        assert!(said(2).contains("2 more reasons stand at zero; --all shows them"));
    }

    #[test]
    fn with_all_a_reason_that_never_occurred_keeps_its_row() {
        let expected = "  count  stage   reason       severity  meaning
      0  parse   truncated    info      shorter than its headers say
1234567  policy  policy_deny  info      a rule denies it, or none allows it
      0  egress  frame_error  fault     a defect
";
        assert_eq!(render(&drops(), Rows::All, Paint::Plain), expected);
    }
}
