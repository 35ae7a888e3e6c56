"""The tool loop of OpenAI's chat interface, with a sandbox as the tool. The model is a stand-in, so that this runs without a network.

    pip install prims-wasm openai
    python examples/openai_tool_loop.py
"""

import json
from types import SimpleNamespace
from typing import Any

from openai.types.chat import ChatCompletion

from prims_wasm import Sandbox, Session

TOOL = {
    "type": "function",
    "function": {
        "name": "run_python",
        "description": "Runs Python. Variables and files stay for the next call. Returns stdout and the value of the last expression.",
        "parameters": {"type": "object", "properties": {"code": {"type": "string"}}, "required": ["code"]},
    },
}
STEPS = ["primes = [n for n in range(2, 50) if all(n % d for d in range(2, n))]", "sum(primes) / 0", "sum(primes)"]


class Stub:
    """Answers as `openai.OpenAI()` does: it has some code run, one piece at a time, and ends with what the last one said."""

    def __init__(self) -> None:
        self.chat = SimpleNamespace(completions=SimpleNamespace(create=self.create))

    def create(self, *, model: str, messages: list[Any], tools: list[Any]) -> ChatCompletion:
        answered = [message for message in messages if message["role"] == "tool"]
        message: dict[str, Any] = {"role": "assistant", "content": None}
        if len(answered) < len(STEPS):
            arguments = json.dumps({"code": STEPS[len(answered)]})
            function = {"name": tools[0]["function"]["name"], "arguments": arguments}
            message["tool_calls"] = [{"id": f"call-{len(answered)}", "type": "function", "function": function}]
        else:
            message["content"] = f"The sum is {json.loads(answered[-1]['content'])['value']}."
        choice = {"index": 0, "message": message, "finish_reason": "stop" if message["content"] else "tool_calls"}
        head = {"id": "stub", "object": "chat.completion", "created": 0, "model": model}
        return ChatCompletion.model_validate({**head, "choices": [choice]})


def run_python(session: Session, code: str) -> str:
    """What the model reads: the outcome as JSON, errors included. Nothing the code does is an exception here."""
    result = session.run(code, timeout=10)
    said = {"status": result.status, "stdout": result.stdout, "value": result.value}
    if result.error is not None:
        said["error"] = result.error.traceback or result.error.message
    return json.dumps(said)


def main() -> None:
    client = Stub()  # openai.OpenAI()
    messages: list[Any] = [{"role": "user", "content": "What is the sum of the primes below 50?"}]
    with Sandbox() as sandbox, sandbox.session() as session:
        while True:
            completion = client.chat.completions.create(model="a-model", messages=messages, tools=[TOOL])
            message = completion.choices[0].message
            messages.append(message.model_dump(exclude_none=True))
            if not message.tool_calls:
                print(message.content)
                return
            for call in message.tool_calls:
                answer = run_python(session, **json.loads(call.function.arguments))
                print(f"{call.id}: {answer}")
                messages.append({"role": "tool", "tool_call_id": call.id, "content": answer})


main()
