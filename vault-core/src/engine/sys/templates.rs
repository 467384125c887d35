//! `sys/policies/templates`: documents to begin with. A template is shown, tried out, or written as a policy.

use super::{policies::save, row};
use crate::{
    Operation::{List, Read, Write},
    cx::Cx,
    engine::{
        Access::Token,
        Call, Field,
        FieldKind::{Any, List as ListKind, Text},
        Route,
    },
    error::Error,
    policy::templates::{self, TEMPLATES, Template},
    request::Reply,
};
use serde_json::{Map, Value, json};

const FIELDS: &[Field] = &[
    Field::new("policy", Text, "Name of the policy to write; the template's own where absent."),
    Field::new("description", Text, "For people."),
    Field::new("entity_bindings", ListKind, "Whom it holds for; where absent whoever's token names it."),
    Field::new("*", Any, "The template's own parameters."),
];

pub(super) const ROUTES: &[Route] = &[
    row(List, "policies/templates", Token, "List templates.", &[], |_, _| Box::pin(list())),
    row(Read, "policies/templates/{template}", Token, "Read a template.", &[], |_, call| {
        Box::pin(read(call))
    }),
    row(
        Write,
        "policies/templates/{template}/preview",
        Token,
        "Show the policies that a template makes.",
        FIELDS,
        |_, call| Box::pin(preview(call)),
    ),
    row(
        Write,
        "policies/templates/{template}",
        Token,
        "Write the policies that a template makes.",
        FIELDS,
        |cx, call| Box::pin(create(cx, call)),
    ),
];

fn shown(template: &Template) -> Value {
    json!({
        "name": template.name,
        "display_name": template.title,
        "category": template.category,
        "description": template.summary,
        "parameters": template.defaults(),
    })
}

async fn list() -> Result<Reply, Error> {
    let names: Vec<&str> = TEMPLATES.iter().map(|template| template.name).collect();
    let infos: Map<String, Value> =
        TEMPLATES.iter().map(|template| (template.name.to_owned(), shown(template))).collect();
    Reply::data(&json!({ "keys": names, "key_info": infos }))
}

fn template_of(call: Call<'_>) -> Result<&'static Template, Error> {
    templates::find(call.param("template")).ok_or_else(Error::not_found)
}

async fn read(call: Call<'_>) -> Result<Reply, Error> {
    Reply::data(&shown(template_of(call)?))
}

/// Names and texts of the policies that the template makes.
fn filled(call: Call<'_>) -> Result<Vec<(String, String)>, Error> {
    let template = template_of(call)?;
    let name = call.text("policy")?.filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| template.name.replace('_', "-")).to_lowercase();
    let mut given = call.request.fields.clone();
    given.remove("policy");
    let documents = template.fill(&name, &given).map_err(Error::invalid)?;
    Ok(documents.into_iter().map(|(name, document)| (name, format!("{document:#}"))).collect())
}

async fn preview(call: Call<'_>) -> Result<Reply, Error> {
    let policies: Map<String, Value> =
        filled(call)?.into_iter().map(|(name, text)| (name, text.into())).collect();
    Reply::data(&json!({ "policies": policies }))
}

async fn create(cx: &mut Cx, call: Call<'_>) -> Result<Reply, Error> {
    let policies = filled(call)?;
    save(cx, &policies).await?;
    let names: Vec<&str> = policies.iter().map(|(name, _)| name.as_str()).collect();
    Reply::data(&json!({ "policies": names }))
}
