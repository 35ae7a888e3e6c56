//! Its one prompt.

use rmcp::ErrorData;
use rmcp::model::{GetPromptResult, JsonObject, Prompt, PromptArgument, PromptMessage, Role};
use serde_json::Value;

const NAME: &str = "python_programmer";
const DESCRIPTION: &str = "Asks a model for Python code that the run_code tool can run.";

pub(super) fn definition() -> Prompt {
    let arguments = vec![
        PromptArgument::new("task")
            .with_description("What the code shall do.")
            .with_required(true),
        PromptArgument::new("mounted_files")
            .with_description("Paths of files below mounts/: a JSON list of texts, or one a line.")
            .with_required(false),
    ];
    Prompt::new(NAME, Some(DESCRIPTION), Some(arguments))
}

pub(super) fn get(name: &str, arguments: &JsonObject) -> Result<GetPromptResult, ErrorData> {
    let wrong = |message: String| Err(ErrorData::invalid_params(message, None));
    if name != NAME {
        return wrong(format!("Unknown prompt: {}", name.chars().take(80).collect::<String>()));
    }
    let Some(task) = arguments.get("task").and_then(Value::as_str) else {
        return wrong("Missing required arguments: {'task'}".into());
    };
    let files = match arguments.get("mounted_files") {
        None | Some(Value::Null) => vec![],
        Some(Value::String(text)) => {
            serde_json::from_str(text).unwrap_or_else(|_| text.lines().map(str::to_owned).collect::<Vec<String>>())
        }
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(_) => return wrong("`mounted_files` is not a list of paths".into()),
    };
    let message = PromptMessage::new_text(Role::User, text(task.trim(), &files.join("\n")));
    Ok(GetPromptResult::new(vec![message]).with_description(DESCRIPTION))
}

fn text(task: &str, files: &str) -> String {
    format!(
        "Write Python code for the task below. It runs in a sandbox through the `run_code` tool.\n\n\
         <task>\n{task}\n</task>\n\n\
         <mounted_files>\n{files}\n</mounted_files>\n\n\
         - The code is a whole script: imports, data and all. Variables of earlier calls are gone; files of the session are there.\n\
         - Print what shall be seen. The value of an expression alone is not shown.\n\
         - The files above lie at ./mounts/PATH and need not be fetched.\n\
         - Write files for the user to ./output/.\n\
         - Name packages the code needs, and files to fetch first with their `url` and `mountPath`.\n\n\
         Answer in exactly this form:\n\n\
         <python_code>\n# the code\n</python_code>\n\n\
         <requirements>\n# a list such as ['pandas'], or nothing\n</requirements>\n\n\
         <files>\n# a list such as [{{'url': 'https://...', 'mountPath': 'data.csv'}}], or nothing\n</files>\n"
    )
}
