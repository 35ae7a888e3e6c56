"""A tour of the gRPC interface with what reflection says about it: `grpc_tour.py ADDRESS PROTO_FOLDER [TOKEN]`."""

import json
import subprocess
import sys
import tempfile

import grpc
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

address, folder, *token = sys.argv[1:]
NAME = "code_interpreter.v1.CodeInterpreterService"
bare = channel = grpc.insecure_channel(address)


class WithToken(grpc.UnaryUnaryClientInterceptor, grpc.StreamStreamClientInterceptor):
    def intercept_unary_unary(self, call, details, request):
        return call(details._replace(metadata=[("authorization", f"Bearer {token[0]}")]), request)

    intercept_stream_stream = intercept_unary_unary


def status(channel, path=f"/{NAME}/ParseCustomTool"):
    try:
        channel.unary_unary(path, lambda it: it, lambda it: it)(b"", timeout=60)
    except grpc.RpcError as error:
        return error.code()


if token:
    assert status(bare) == grpc.StatusCode.UNAUTHENTICATED
    channel = grpc.intercept_channel(bare, WithToken())
assert status(channel) is None
# Another name than its own leads to no server.
other = grpc.insecure_channel(address, [("grpc.default_authority", "evil.example")])
assert status(other) == grpc.StatusCode.PERMISSION_DENIED
database = ProtoReflectionDescriptorDatabase(channel)
assert NAME in database.get_services(), database.get_services()
pool = DescriptorPool(database)
service = pool.FindServiceByName(NAME)

# What reflection says is what the proto file says.
with tempfile.NamedTemporaryFile() as compiled:
    file = "code_interpreter/v1/code_interpreter_service.proto"
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={folder}", f"--descriptor_set_out={compiled.name}", file]
    subprocess.run(command, check=True)
    expected = descriptor_pb2.FileDescriptorSet.FromString(compiled.read()).file[0]
found = descriptor_pb2.FileDescriptorProto()
service.file.CopyToProto(found)
assert found == expected, found


def call(name, **fields):
    method = service.methods_by_name[name]
    request, response = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
    stub = channel.unary_unary(f"/{NAME}/{name}", request.SerializeToString, response.FromString)
    return stub(request(**fields), timeout=60)


def refused(code, name, **fields):
    try:
        call(name, **fields)
    except grpc.RpcError as error:
        assert error.code() == code, error
        return error.details()
    raise AssertionError(f"{name} {fields} was not refused")


done = call("Execute", source_code="open('file.txt', 'w').write('Hello, World!')\nprint('hi')")
assert (done.stdout, done.stderr, done.exit_code) == ("hi\n", "", 0), done
assert list(done.files) == ["/workspace/file.txt"], done
files = {"/workspace/in/file.txt": done.files["/workspace/file.txt"]}
done = call("Execute", source_code="print(open('in/file.txt').read())", files=files)
assert (done.stdout, dict(done.files)) == ("Hello, World!\n", {}), done
done = call("Execute", source_code="1 / 0")
assert done.exit_code == 1 and "ZeroDivisionError" in done.stderr, done

INVALID = grpc.StatusCode.INVALID_ARGUMENT
for path, name in (("/workspace/a", "../secret"), ("/workspace/a", ""), ("/workspace/a", "x" * 256), ("a", "x"), ("//a", "x")):
    assert "should match pattern" in refused(INVALID, "Execute", source_code="", files={path: name}), path
for path in ("/workspace/../etc/passwd", "/etc/passwd", "/workspace"):
    assert "files./" in refused(INVALID, "Execute", source_code="", files={path: "a"}), path
assert "1 MiB" in refused(INVALID, "Execute", source_code="#" * ((1 << 20) + 1))
refused(grpc.StatusCode.NOT_FOUND, "Execute", source_code="", files={"/workspace/a": "0" * 64})
refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "Execute", source_code="#" * (5 << 20))

tool = 'def f(a: int, b: str = "x") -> int:\n  """Does.\n\n  :param a: the a\n  """\n  return a'
parsed = call("ParseCustomTool", tool_source_code=tool)
assert parsed.WhichOneof("response") == "success", parsed
assert (parsed.success.tool_name, parsed.success.tool_description) == ("f", "Does.\n\nReturns: int"), parsed
schema = json.loads(parsed.success.tool_input_schema_json)
assert schema["properties"]["a"] == {"type": "integer", "description": "the a"}, schema
parsed = call("ParseCustomTool", tool_source_code="def f(*a): pass")
assert list(parsed.error.error_messages) == ["The tool function must not have *args"], parsed
ran = call("ExecuteCustomTool", tool_source_code=tool, tool_input_json='{"a": "3"}')
assert ran.success.tool_output_json == "3", ran
ran = call("ExecuteCustomTool", tool_source_code=tool, tool_input_json='{"a": "x"}')
assert "int_parsing" in ran.error.stderr, ran

# Methods that are not there, a deadline of the client, many calls at a time, a call that is cancelled.
assert status(channel, f"/{NAME}/Other") == status(channel, "/other") == grpc.StatusCode.UNIMPLEMENTED
method = service.methods_by_name["Execute"]
request = GetMessageClass(method.input_type)
execute = channel.unary_unary(f"/{NAME}/Execute", request.SerializeToString, GetMessageClass(method.output_type).FromString)
try:
    execute(request(source_code="while True: pass"), timeout=0.5)
    raise AssertionError("it ended")
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED, error
calls = [execute.future(request(source_code=f"print({at})"), timeout=60) for at in range(20)]
assert [one.result().stdout for one in calls] == [f"{at}\n" for at in range(20)]
print("done")
