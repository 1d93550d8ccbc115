//! Rows of a campaign as plain data. SQLite's numbers have a sign and 63 bits, and ours have none: what does not fit
//! is neither written nor read. What no campaign wrote is refused with its name and value.

use std::collections::BTreeMap;

use incast_core::campaign::RunOutcome;
use incast_core::caveat::Caveat;
use incast_core::record::LossStage;
use rusqlite::types::Type;
use rusqlite::{Connection, Row, Transaction, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::CampaignTally;

/// Everything that a run came to, within one transaction.
pub(super) fn finish(
    transaction: &Transaction<'_>,
    run: i64,
    unix_ns: u64,
    outcome: &RunOutcome,
) -> rusqlite::Result<()> {
    let update = "UPDATE runs SET state = 'finished', ended_unix_ns = ?2, verdict = ?3, sent = ?4, lost = ?5, \
                  sent_bits = ?6, unexplained = ?7, figures = ?8 WHERE id = ?1 AND number = ?9 AND state = 'begun'";
    let changed = transaction.execute(
        update,
        params![
            run,
            signed(unix_ns)?,
            json_text(&outcome.verdict)?,
            signed(outcome.sent)?,
            signed(outcome.lost)?,
            signed(outcome.sent_bits)?,
            outcome.unexplained,
            json_text(&outcome.figures)?,
            signed(outcome.number)?,
        ],
    )?;
    if changed != 1 {
        return Err(rusqlite::Error::StatementChangedRows(changed));
    }
    let mut insert = transaction.prepare("INSERT INTO stages VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for stage in &outcome.stages {
        let (packets, messages) = (signed(stage.packets)?, signed(stage.messages)?);
        insert.execute(params![run, stage.stage, stage.place, packets, messages])?;
    }
    let mut insert = transaction.prepare("INSERT INTO caveats VALUES (?1, ?2, ?3, ?4)")?;
    for caveat in &outcome.caveats {
        insert.execute(params![run, json_text(&caveat.kind)?, caveat.text, caveat.advice])?;
    }
    Ok(())
}

/// The finished runs of a variant, by their numbers.
pub(super) fn finished(connection: &Connection, variant: i64) -> rusqlite::Result<Vec<RunOutcome>> {
    // One moment for all three tables, while another process goes on writing.
    let reading = connection.unchecked_transaction()?;
    let mut stages: BTreeMap<i64, Vec<LossStage>> = BTreeMap::new();
    let select = "SELECT run, stage, place, packets, messages FROM stages JOIN runs ON runs.id = run \
                  WHERE variant = ?1 ORDER BY stages.rowid";
    each(&reading, select, variant, |row| {
        let stage = LossStage {
            stage: row.get(1)?,
            place: row.get(2)?,
            packets: unsigned(row, 3)?,
            messages: unsigned(row, 4)?,
        };
        stages.entry(row.get(0)?).or_default().push(stage);
        Ok(())
    })?;
    let mut caveats: BTreeMap<i64, Vec<Caveat>> = BTreeMap::new();
    let select = "SELECT run, kind, text, advice FROM caveats JOIN runs ON runs.id = run \
                  WHERE variant = ?1 ORDER BY caveats.rowid";
    each(&reading, select, variant, |row| {
        let caveat = Caveat { kind: of_json(row, 1)?, text: row.get(2)?, advice: row.get(3)? };
        caveats.entry(row.get(0)?).or_default().push(caveat);
        Ok(())
    })?;
    let mut runs = Vec::new();
    let select = "SELECT id, number, verdict, sent, lost, sent_bits, unexplained, figures FROM runs \
                  WHERE state = 'finished' AND variant = ?1 ORDER BY number";
    each(&reading, select, variant, |row| {
        let id: i64 = row.get(0)?;
        let (number, sent, lost) = (unsigned(row, 1)?, unsigned(row, 3)?, unsigned(row, 4)?);
        if lost > sent {
            return Err(wrong(
                4,
                Type::Integer,
                format!("run {number} lost {lost} messages of {sent}").into(),
            ));
        }
        runs.push(RunOutcome {
            number,
            verdict: of_json(row, 2)?,
            sent,
            lost,
            sent_bits: unsigned(row, 5)?,
            stages: stages.remove(&id).unwrap_or_default(),
            unexplained: row.get(6)?,
            figures: of_json(row, 7)?,
            caveats: caveats.remove(&id).unwrap_or_default(),
        });
        Ok(())
    })?;
    Ok(runs)
}

pub(super) fn tally(connection: &Connection) -> rusqlite::Result<CampaignTally> {
    let mut tally = CampaignTally::default();
    let mut select = connection.prepare("SELECT state, count(*) FROM runs GROUP BY state")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let count = unsigned(row, 1)?;
        match &*row.get::<_, String>(0)? {
            "finished" => tally.finished = count,
            "failed" => tally.failed = count,
            "died" => tally.died = count,
            _ => tally.begun = count,
        }
    }
    Ok(tally)
}

pub(super) fn failures(connection: &Connection, most: u32) -> rusqlite::Result<Vec<String>> {
    let select = "SELECT number, coalesce(why, 'nobody said why') FROM runs WHERE state = 'failed' \
                  ORDER BY id DESC LIMIT ?1";
    let mut select = connection.prepare(select)?;
    let rows = select
        .query_map([most], |row| Ok(format!("run {}: {}", unsigned(row, 0)?, row.get::<_, String>(1)?)))?;
    rows.collect()
}

fn each(
    connection: &Connection,
    select: &str,
    variant: i64,
    mut take: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut select = connection.prepare(select)?;
    let mut rows = select.query([variant])?;
    while let Some(row) = rows.next()? {
        take(row)?;
    }
    Ok(())
}

/// A count or a time as SQLite has it.
pub(super) fn signed(number: u64) -> rusqlite::Result<i64> {
    i64::try_from(number).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// A count or a time.
pub(super) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number)
        .map_err(|_| wrong(column, Type::Integer, format!("{} is {number}", name(row, column)).into()))
}

pub(super) fn json_text<T: Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

pub(super) fn of_json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text)
        .map_err(|error| wrong(column, Type::Text, format!("{}: {error}", name(row, column)).into()))
}

/// What is in the column is not what a campaign writes there.
fn wrong(column: usize, of: Type, what: Box<dyn std::error::Error + Send + Sync>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, of, what)
}

fn name<'a>(row: &'a Row<'_>, column: usize) -> &'a str {
    row.as_ref().column_name(column).unwrap_or("a column")
}
