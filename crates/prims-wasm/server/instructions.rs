//! What a model is told about the server before it uses it.

use super::state::Shared;

/// The server's instructions: what is there, what bounds it, how to get results out.
pub(crate) fn instructions(state: &Shared) -> String {
    let packages = match state.requirements.as_slice() {
        [] => "The Python standard library is available.".to_owned(),
        some => format!(
            "Besides the Python standard library these packages are installed: {}.",
            some.join(", ")
        ),
    };
    let (limits, ceilings) = (&state.limits, &state.ceilings);
    format!(
        "Runs Python 3.13 in a sandbox. {packages} Ask for others with `requirements`, for example [\"numpy\"].\n\
         - Every `run_code` starts in a fresh interpreter: put all imports and data a run needs into its code. Files survive in a session: `create_session`, then give \
         its `session_id` with every call; with `stateful` variables, imports and functions survive too.\n\
         - The value of the last expression comes back as `return_value`; what is printed comes back as `stdout`. An uncaught exception comes back as `error` with its \
         traceback. Top-level `await` works.\n\
         - Write files for the user to `output/` (for example `output/plot.png`); they come back as `artifacts`, each with a `uri` to read it as a resource. \
         A figure or an image as the last expression comes back as a picture.\n\
         - Give input as `files`, `globals` or `stdin`; files lie in the working directory.\n\
         - There is no network, there are no subprocesses and no threads. A run may take {} s and {} MiB; with `timeout_ms` and `memory_mb` up to {} s and {} MiB.",
        limits.wall_clock.as_secs_f64(),
        limits.memory >> 20,
        ceilings.wall_clock.as_secs_f64(),
        ceilings.memory >> 20,
    )
}
