//! The editor: staff write a questionnaire card by card. A form saves one card, and then does what
//! its button says (add an option, move the item, …); a page without script works as well. With
//! script, fields are saved as they are left, and the phone shows what is being typed.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::super::super::Failure;
use super::super::super::auth::{FormFields, Staff};
use super::super::super::page_layout::{PageLayout, render_page};
use super::super::super::state::AppState;
use super::super::conflict::Conflict;
use super::super::setup::category_label;
use super::editor_view::{Cards, ItemCard, Open, Phone, cards, phone};
use super::form::{SentForm, TextField};
use super::{category_of, problem};
use crate::domain::category::Category;
use crate::domain::language::Language;
use crate::domain::questionnaire::{
    EditError, ItemFile, ItemPlace, KindFile, QuestionnaireFile, kind_words,
};
use crate::services::questionnaires::editor::{self, EditedQuestionnaire, EditorError, check};
use strum::IntoEnumIterator;

/// Languages that are offered to be added; any other can be named by its tag.
const OFFERED: [&str; 12] =
    ["zh", "zh-Hant", "en", "pt", "yue", "ja", "ko", "fr", "de", "es", "ru", "ar"];

#[derive(Template)]
#[template(path = "console/questionnaire-editor.html")]
struct EditorPage<'a> {
    layout: PageLayout<'a>,
    problem: Option<String>,
    flash: Option<&'static str>,
    conflict: Option<Conflict>,
    remarks: Vec<String>,
    code: &'static str,
    category: String,
    edited: &'a EditedQuestionnaire,
    /// The language of the cards and the phone.
    shown: Language,
    languages: Vec<Language>,
    offered: Vec<Language>,
    open: String,
    cards: Cards,
    phone: Phone,
    is_good: bool,
    minutes: String,
    kinds: Vec<(&'static str, &'static str)>,
}

#[derive(Template)]
#[template(path = "console/questionnaire-phone.html")]
struct PhonePart<'a> {
    layout: PageLayout<'a>,
    phone: Phone,
}

/// What is said on the page, beside the questionnaire.
#[derive(Default)]
struct Said {
    problem: Option<String>,
    flash: Option<&'static str>,
    conflict: Option<Conflict>,
    remarks: Vec<String>,
}

fn failure(error: EditorError) -> Failure {
    match error {
        EditorError::Database(error) => error.into(),
        EditorError::NotFound => Failure::NotFound,
        other => Failure::Internal(other.to_string()),
    }
}

async fn edited(
    app: &AppState,
    category: Category,
) -> Result<Option<EditedQuestionnaire>, Failure> {
    editor::find(&app.context, category).await.map_err(failure)
}

fn render(
    staff: &Staff,
    edited: &EditedQuestionnaire,
    (open, shown): (&Open, Option<Language>),
    status: StatusCode,
    said: Said,
) -> Response {
    let tr = staff.tr;
    let checked = edited.check();
    let languages = edited.file.all_languages();
    let wanted = shown.unwrap_or_else(|| Language::from(tr.0));
    let shown = wanted.choose(languages.iter().copied()).unwrap_or_default();
    let offered = OFFERED.iter().filter_map(|tag| Language::parse(tag));
    let template = EditorPage {
        layout: PageLayout::for_staff(staff),
        problem: said.problem,
        flash: said.flash,
        conflict: said.conflict,
        remarks: said.remarks,
        code: edited.category.as_str(),
        category: category_label(tr, edited.category),
        shown,
        offered: offered.filter(|language| !languages.contains(language)).collect(),
        open: open.link(),
        cards: cards(&edited.file, &checked, open, shown, tr),
        phone: phone(&edited.file, &checked, open, shown),
        is_good: checked.is_good(),
        minutes: format!("{:.1}", checked.sketch.questionnaire.minutes()),
        kinds: KindFile::iter().map(|kind| (kind.into(), tr.pair(kind_words(kind)))).collect(),
        languages,
        edited,
    };
    render_page(status, &template)
}

pub async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(category): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let category = category_of(&category)?;
    let Some(edited) = edited(&app, category).await? else {
        return Ok(Redirect::to("/questionnaires").into_response());
    };
    let open = Open::parse(query.get("open").map(String::as_str).unwrap_or_default());
    let shown = query.get("lang").and_then(|tag| Language::parse(tag));
    let flash = match query.get("flash").map(String::as_str) {
        Some("undone") => Some(staff.tr.t("已撤销上一步。", "The last change is taken back.")),
        _ => None,
    };
    let said = Said { flash, ..Said::default() };
    Ok(render(&staff, &edited, (&open, shown), StatusCode::OK, said))
}

/// Shows the editor with the remarks on a conversion.
pub async fn show_with_remarks(
    app: &AppState,
    staff: &Staff,
    category: Category,
    remarks: Vec<String>,
) -> Result<Response, Failure> {
    let edited = edited(app, category).await?.ok_or(Failure::NotFound)?;
    let said = Said { remarks, ..Said::default() };
    Ok(render(staff, &edited, (&Open::Nothing, None), StatusCode::OK, said))
}

/// What a sent form is about.
struct Target {
    revision: i64,
    open: Open,
    shown: Option<Language>,
}

impl Target {
    fn of(form: &FormFields) -> Target {
        Target {
            revision: form.text("revision").parse().unwrap_or_default(),
            open: Open::parse(form.text("open")),
            shown: Language::parse(form.text("lang")),
        }
    }

    fn page(&self) -> Result<usize, EditError> {
        match self.open {
            Open::Page(page) => Ok(page),
            _ => Err(EditError::NotFound),
        }
    }
}

/// Saves the card of the form, and does what its button says. Returns the card that is open then.
fn apply(
    file: &mut QuestionnaireFile,
    form: &FormFields,
    target: &Target,
    staff: &Staff,
) -> Result<Open, EditError> {
    save_card(file, form, target, staff)?;
    let (action, argument) = match form.text("do").split_once(':') {
        Some((action, argument)) => (action, argument),
        None => (form.text("do"), ""),
    };
    let number = || argument.parse::<usize>().map_err(|_| EditError::NotFound);
    let open = target.open.clone();
    if let Open::Item(id) = &open {
        return apply_to_item(file, form, id, (action, argument));
    }
    match action {
        "add-item" => {
            let kind = argument.parse().map_err(|_| EditError::NotFound)?;
            return Ok(Open::Item(file.add_item(target.page()?, kind)?));
        }
        "add-page" => return Ok(Open::Page(file.add_page(target.page().ok())?)),
        "page-up" => {
            let page = target.page()?;
            let to = page.saturating_sub(1);
            file.move_page(page, to)?;
            return Ok(Open::Page(to));
        }
        "page-down" => {
            let page = target.page()?;
            file.move_page(page, page + 1)?;
            return Ok(Open::Page((page + 1).min(file.pages.len().saturating_sub(1))));
        }
        "page-remove" => {
            file.remove_page(target.page()?)?;
            return Ok(Open::Nothing);
        }
        "add-language" => {
            let language = Language::parse(form.text("new-language")).ok_or(EditError::Language)?;
            file.add_language(language);
        }
        "remove-language" => {
            file.remove_language(Language::parse(argument).ok_or(EditError::NotFound)?)?;
        }
        "first-language" => {
            file.put_language_first(Language::parse(argument).ok_or(EditError::NotFound)?);
        }
        "if-add" | "if-remove" => {
            let page = target.page()?;
            let subjects = file.subjects(page, staff.tr.0);
            let source = file.pages.get(page).ok_or(EditError::NotFound)?.show_if.clone();
            let changed = changed_condition(file, source, action, number().ok(), &subjects);
            if let Some(page) = file.pages.get_mut(page) {
                page.show_if = changed;
            }
        }
        "close" => return Ok(Open::Nothing),
        _ => {}
    }
    Ok(open)
}

/// Saves the fields of the card that the form shows, if it shows them.
fn save_card(
    file: &mut QuestionnaireFile,
    form: &FormFields,
    target: &Target,
    staff: &Staff,
) -> Result<(), EditError> {
    if form.text("fields").is_empty() {
        return Ok(());
    }
    match &target.open {
        Open::Item(id) => {
            let mut item = file.item(id).ok_or(EditError::NotFound)?.clone();
            SentForm::new(form, file).fill_item(&mut item, file, staff.tr.0);
            *file.item_mut(id)? = item;
        }
        Open::Page(number) => {
            let mut page = file.pages.get(*number).ok_or(EditError::NotFound)?.clone();
            SentForm::new(form, file).fill_page(&mut page, file, *number, staff.tr.0);
            file.pages[*number] = page;
        }
        Open::Head => {
            let snapshot = file.clone();
            let sent = SentForm::new(form, &snapshot);
            sent.fill_head(file);
            file.set_list_fields(sent.list_fields())?;
        }
        Open::Nothing => {}
    }
    Ok(())
}

fn apply_to_item(
    file: &mut QuestionnaireFile,
    form: &FormFields,
    id: &str,
    (action, argument): (&str, &str),
) -> Result<Open, EditError> {
    let number = || argument.parse::<usize>().map_err(|_| EditError::NotFound);
    let open = Open::Item(id.to_owned());
    match action {
        "up" | "down" => {
            file.step_item(id, action == "down")?;
            return Ok(Open::parse(form.text("keep-open")));
        }
        "move" => {
            // Before an item, or to the end of a page.
            let to = match argument.split_once('/') {
                Some((_, before)) if !before.is_empty() => {
                    file.place_of(before).ok_or(EditError::NotFound)?
                }
                Some((page, _)) => {
                    let page: usize = page.parse().map_err(|_| EditError::NotFound)?;
                    ItemPlace { page: page.saturating_sub(1), item: usize::MAX }
                }
                None => return Err(EditError::NotFound),
            };
            file.move_item(id, to)?;
            return Ok(Open::parse(form.text("keep-open")));
        }
        "move-page" => {
            let page: usize = form.text("to-page").parse().map_err(|_| EditError::NotFound)?;
            let to = ItemPlace { page: page.saturating_sub(1), item: usize::MAX };
            file.move_item(id, to)?;
        }
        "copy" => return Ok(Open::Item(file.copy_item(id)?)),
        "remove" => {
            file.remove_item(id)?;
            return Ok(Open::Nothing);
        }
        "rename" => {
            let new = form.text("id").trim();
            file.rename(id, new)?;
            return Ok(Open::Item(new.to_owned()));
        }
        "option-add" => {
            let option = file.new_option(file.item(id).ok_or(EditError::NotFound)?);
            file.item_mut(id)?.options.push(option);
        }
        "option-remove" => remove(&mut file.item_mut(id)?.options, number()?),
        "option-up" => lift(&mut file.item_mut(id)?.options, number()?),
        "row-add" => {
            let row = file.new_row(file.item(id).ok_or(EditError::NotFound)?);
            file.item_mut(id)?.rows.push(row);
        }
        "row-remove" => remove(&mut file.item_mut(id)?.rows, number()?),
        "row-up" => lift(&mut file.item_mut(id)?.rows, number()?),
        "grid-options" => {
            let mut item: ItemFile = file.item(id).ok_or(EditError::NotFound)?.clone();
            if item.options.is_empty() {
                for _ in 0..2 {
                    let option = file.new_option(&item);
                    item.options.push(option);
                }
            } else {
                item.options.clear();
            }
            file.fit(&mut item);
            *file.item_mut(id)? = item;
        }
        "if-add" | "if-remove" | "out-add" | "out-remove" => {
            let page = file.place_of(id).ok_or(EditError::NotFound)?.page;
            let item = file.item(id).ok_or(EditError::NotFound)?;
            let reader = crate::domain::language::ConsoleLanguage::Zh;
            let is_own = action.starts_with("out");
            let mut subjects = if is_own { file.subjects_of(item, reader) } else { Vec::new() };
            subjects.extend(file.subjects(page, reader));
            let source = if is_own { &item.screen_out_if } else { &item.show_if };
            let action = action
                .strip_prefix("out")
                .map_or(action, |rest| if rest == "-add" { "if-add" } else { "if-remove" });
            let changed = changed_condition(file, source.clone(), action, number().ok(), &subjects);
            let item = file.item_mut(id)?;
            if is_own {
                item.screen_out_if = changed;
            } else {
                item.show_if = changed;
            }
        }
        "close" => return Ok(Open::Nothing),
        _ => {}
    }
    Ok(open)
}

/// Adds a row to a condition, or removes one.
fn changed_condition(
    file: &QuestionnaireFile,
    source: Option<String>,
    action: &str,
    number: Option<usize>,
    subjects: &[crate::domain::questionnaire::Subject],
) -> Option<String> {
    use crate::domain::questionnaire::ChosenCondition;
    let mut chosen = match source.as_deref().map(ChosenCondition::parse) {
        None => ChosenCondition { is_all: true, groups: Vec::new() },
        Some(Some(chosen)) => chosen,
        // Written by hand: it is changed by hand.
        Some(None) => return source,
    };
    if action == "if-add" {
        let Some(subject) = subjects.first() else { return source };
        chosen.groups.push(vec![super::form::first_term(subject)]);
    } else {
        let mut at = number.unwrap_or_default();
        for group in &mut chosen.groups {
            if at < group.len() {
                group.remove(at);
                break;
            }
            at -= group.len();
        }
        chosen.groups.retain(|group| !group.is_empty());
    }
    chosen.source(file)
}

fn remove<T>(list: &mut Vec<T>, at: usize) {
    if at < list.len() {
        list.remove(at);
    }
}

fn lift<T>(list: &mut [T], at: usize) {
    if (1..list.len()).contains(&at) {
        list.swap(at - 1, at);
    }
}

/// Saves a form of the editor.
pub async fn save(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(category): Path<String>,
) -> Result<Response, Failure> {
    let category = category_of(&category)?;
    let target = Target::of(&form);
    let mut open = target.open.clone();
    let change = |file: &mut QuestionnaireFile| {
        open = apply(file, &form, &target, &staff)?;
        Ok(())
    };
    let actor = staff.session.actor();
    let changed = editor::change(&app.context, &actor, category, target.revision, change).await;
    match changed {
        Ok(_) => Ok(Redirect::to(&address(category, &open, target.shown, "")).into_response()),
        Err(EditorError::NotFound) => Ok(Redirect::to("/questionnaires").into_response()),
        Err(error) => show_problem(&app, &staff, category, &target, (error, Some(&form))).await,
    }
}

/// What was typed and what is stored, where they differ.
fn conflict_of(
    form: &FormFields,
    edited: &EditedQuestionnaire,
    target: &Target,
    staff: &Staff,
) -> Conflict {
    let mut before = edited.file.clone();
    let labelled = |file: &QuestionnaireFile| -> Vec<(String, String)> {
        let checked = check(file);
        let cards = cards(file, &checked, &target.open, Language::default(), staff.tr);
        let mut rows = Vec::new();
        let mut add = |label: String, text: &TextField| {
            for cell in &text.cells {
                let label = format!("{label} ({})", cell.language.autonym());
                rows.push((label, cell.value.clone()));
            }
        };
        if cards.head.is_open {
            cards.head.texts.iter().for_each(|text| add(text.label.to_owned(), text));
        }
        for page in &cards.pages {
            for text in page.form.iter().flat_map(|form| &form.texts) {
                add(text.label.to_owned(), text);
            }
            for form in page.items.iter().filter_map(|item: &ItemCard| item.form.as_ref()) {
                add(form.text.label.to_owned(), &form.text);
                form.more_texts.iter().for_each(|text| add(text.label.to_owned(), text));
                for option in &form.options {
                    add(format!("{} {}", option.text.label, option.option.code), &option.text);
                }
                for row in &form.rows {
                    add(format!("{} {}", row.text.label, row.id), &row.text);
                }
            }
        }
        rows
    };
    let theirs = labelled(&before);
    // What cannot be saved any more, because the card is gone, is compared with nothing.
    let mine = match save_card(&mut before, form, target, staff) {
        Ok(()) => labelled(&before),
        Err(_) => {
            let typed = form.0.iter().filter(|(name, _)| {
                name.starts_with("text-") || name.starts_with("opt-") && name.contains("-text-")
            });
            typed.map(|(name, text)| (name.clone(), text.clone())).collect()
        }
    };
    Conflict::between(&mine, &theirs)
}

fn address(category: Category, open: &Open, shown: Option<Language>, flash: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let link = open.link();
    if !link.is_empty() {
        query.append_pair("open", &link);
    }
    if let Some(language) = shown {
        query.append_pair("lang", language.tag());
    }
    if !flash.is_empty() {
        query.append_pair("flash", flash);
    }
    let query = query.finish();
    let mark = if query.is_empty() { "" } else { "?" };
    let fragment = if link.is_empty() { String::new() } else { format!("#{link}") };
    format!("/questionnaires/{category}/edit{mark}{query}{fragment}")
}

/// Returns the phone as it would look with the form; saves nothing.
pub async fn try_form(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(category): Path<String>,
) -> Result<Response, Failure> {
    let category = category_of(&category)?;
    let edited = edited(&app, category).await?.ok_or(Failure::NotFound)?;
    let target = Target::of(&form);
    let mut file = edited.file;
    // A card that is gone meanwhile is told when the form is saved.
    let _ = save_card(&mut file, &form, &target, &staff);
    let languages = file.all_languages();
    let wanted = target.shown.unwrap_or_else(|| Language::from(staff.tr.0));
    let shown = wanted.choose(languages.into_iter()).unwrap_or_default();
    let template = PhonePart {
        layout: PageLayout::for_staff(&staff),
        phone: phone(&file, &check(&file), &target.open, shown),
    };
    Ok(render_page(StatusCode::OK, &template))
}

/// Takes the last change back.
pub async fn undo(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(category): Path<String>,
) -> Result<Response, Failure> {
    let category = category_of(&category)?;
    let target = Target::of(&form);
    match editor::undo(&app.context, &staff.session.actor(), category, target.revision).await {
        Ok(()) => {
            let to = address(category, &target.open, target.shown, "undone");
            Ok(Redirect::to(&to).into_response())
        }
        Err(error) => show_problem(&app, &staff, category, &target, (error, None)).await,
    }
}

/// Throws away what is being written.
pub async fn discard(
    State(app): State<Arc<AppState>>,
    Path(category): Path<String>,
) -> Result<Response, Failure> {
    let category = category_of(&category)?;
    editor::discard(&app.context, category).await.map_err(failure)?;
    Ok(Redirect::to("/questionnaires?flash=dropped").into_response())
}

/// Releases what is written.
pub async fn release(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path(category): Path<String>,
) -> Result<Response, Failure> {
    let category = category_of(&category)?;
    let target = Target::of(&form);
    let actor = staff.session.actor();
    let note = form.text("note");
    match editor::release(&app.context, &actor, category, target.revision, note).await {
        Ok(_) => Ok(Redirect::to("/questionnaires?flash=released").into_response()),
        Err(error) => show_problem(&app, &staff, category, &target, (error, None)).await,
    }
}

/// Shows what went wrong. A form that was filled in over another state is shown beside that.
async fn show_problem(
    app: &AppState,
    staff: &Staff,
    category: Category,
    target: &Target,
    (error, form): (EditorError, Option<&FormFields>),
) -> Result<Response, Failure> {
    let is_conflict = matches!(error, EditorError::Changed);
    let status = if is_conflict { StatusCode::CONFLICT } else { StatusCode::UNPROCESSABLE_ENTITY };
    let problem = Some(problem(staff.tr, error)?);
    let edited = edited(app, category).await?.ok_or(Failure::NotFound)?;
    let conflict =
        form.filter(|_| is_conflict).map(|form| conflict_of(form, &edited, target, staff));
    let said = Said { problem, conflict, ..Said::default() };
    Ok(render(staff, &edited, (&target.open, target.shown), status, said))
}
