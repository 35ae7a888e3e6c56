"""A Pydantic AI agent that runs Python: through MCP, and in its own process. The model is a stand-in, so that this runs without a network.

    pip install prims-wasm 'pydantic-ai-slim[mcp]'
    python examples/pydantic_ai_agent.py
"""

import asyncio
import sys

from fastmcp.client.transports import StdioTransport
from pydantic_ai import Agent, ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.models.function import AgentInfo, FunctionModel

from prims_wasm import AsyncSandbox

QUESTION = "How many days lie between 2000-01-01 and 2025-03-18?"
CODE = "from datetime import date\n(date(2025, 3, 18) - date(2000, 1, 1)).days"


def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Calls the first tool that runs code, then says what it answered. Your model instead: `Agent("anthropic:…")`."""
    answers = [part for part in messages[-1].parts if part.part_kind == "tool-return"]
    if answers:
        return ModelResponse(parts=[TextPart(f"There are {answers[0].model_response_str()}")])
    tool = next(tool.name for tool in info.function_tools if tool.name in ("run_code", "run_python"))
    return ModelResponse(parts=[ToolCallPart(tool, {"code": CODE})])


async def through_mcp() -> None:
    """The server's tools: code, sessions, files."""
    python = MCPToolset(StdioTransport(sys.executable, ["-m", "prims_wasm", "stdio"]))
    agent = Agent(FunctionModel(model), toolsets=[python])
    async with agent:
        print("through MCP:", (await agent.run(QUESTION)).output)


async def in_process() -> None:
    """A tool of one's own. A session keeps variables from call to call, and a task that is cancelled stops its code."""
    async with AsyncSandbox(timeout=10) as sandbox, sandbox.session() as session:
        agent = Agent(FunctionModel(model))

        @agent.tool_plain
        async def run_python(code: str) -> str:
            """Runs Python and returns its output, and the value of the last expression."""
            result = await session.run(code)
            if result.error is not None:
                return result.error.traceback or result.error.message
            return f"{result.stdout}{result.repr or ''}"

        print("in process:", (await agent.run(QUESTION)).output)


async def main() -> None:
    await through_mcp()
    await in_process()


asyncio.run(main())
