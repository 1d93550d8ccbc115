//! The `[[ask]]` and `[[variant]]` tables: what the run is to answer, and what else is to be tried.

use super::findings::quoted;
use super::model::{AnswerKind, AskPlan, VariantPlan};
use super::reader::Reader;
use super::vary::Setting;

/// Reads every `[[ask]]`.
pub(super) fn read_asks(scenario: &mut Reader<'_, '_>) -> Vec<AskPlan> {
    let mut asks = Vec::new();
    for (table, header) in scenario.tables("ask", ASKS_MAX).unwrap_or_default() {
        let mut reader = Reader::open(table, "[[ask]]", header, &["answer", "question"], scenario.findings);
        reader.require("question", "write what somebody wants to know");
        reader.require("answer", "say which numbers answer it: shares, loss, where, cpu or cpu-at-200");
        let question = reader.sentence("question");
        let answer = reader.word("answer", "answer", ANSWERS);
        asks.extend(question.zip(answer).map(|(question, answer)| AskPlan { question, answer }));
    }
    asks
}

/// Reads every `[[variant]]`.
pub(super) fn read_variants(scenario: &mut Reader<'_, '_>) -> Vec<VariantPlan> {
    let mut variants: Vec<VariantPlan> = Vec::new();
    // Compared with a variant that may stand further down.
    let mut compared = Vec::new();
    for (table, header) in scenario.tables("variant", VARIANTS_MAX).unwrap_or_default() {
        let mut reader =
            Reader::open(table, "[[variant]]", header, &["against", "name", "set"], scenario.findings);
        reader.require("name", "its record is called by it");
        reader.require("set", "say what it changes, for example set = \"flow.congestion=cubic\"");
        let name = reader.name("name").map(|name| (*name.get_ref()).to_owned());
        let against = reader.name("against").map(|name| ((*name.get_ref()).to_owned(), name.span()));
        let mut settings = Vec::new();
        for text in reader.names("set").unwrap_or_default() {
            match text.get_ref().parse::<Setting>() {
                Ok(setting) => settings.push(setting),
                Err(error) => reader.findings.add(&text.span(), error.to_string()),
            }
        }
        let Some(name) = name else { continue };
        if variants.iter().any(|variant| variant.name == name) {
            reader.fault("name", format!("there is already a variant `{name}`; names are unique"));
            continue;
        }
        compared.extend(against.clone());
        let against = against.map(|(against, _)| against).filter(|against| against != BASE);
        variants.push(VariantPlan { name, against, settings });
    }
    for (name, place) in compared {
        let name = name.as_str();
        if name != BASE && !variants.iter().any(|variant| variant.name == name) {
            let names = variants.iter().map(|variant| variant.name.as_str());
            let advice =
                scenario.findings.advice(name, names.chain([BASE]), "base, or the name of another variant");
            scenario.findings.add(&place, format!("unknown variant {}{advice}", quoted(name)));
        }
    }
    variants
}

/// What the scenario as it stands is called beside its variants.
const BASE: &str = "base";
const ANSWERS: &[(&str, AnswerKind)] = &[
    ("shares", AnswerKind::Shares),
    ("loss", AnswerKind::Loss),
    ("where", AnswerKind::Where),
    ("cpu", AnswerKind::Cpu),
    ("cpu-at-200", AnswerKind::CpuAt200),
];
/// Most questions; more than anyone reads.
const ASKS_MAX: usize = 32;
/// Most variants of a scenario: each is a run.
const VARIANTS_MAX: usize = 64;
