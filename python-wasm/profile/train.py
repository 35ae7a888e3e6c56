#!/usr/bin/env python3
"""Measures which parts of the interpreter are hot, for clang's -fprofile-use.

    python-wasm/build --profile generate --until link     an interpreter with counters
    python-wasm/profile/train.py WORK                     runs workload.py in it, writes interpreter.profdata.xz

Needs the Python package `wasmtime` and LLVM's `llvm-profdata` (any version from 14 on): neither is needed to build with the result.
clang's own runtime for this does not exist for wasm, so the counters are read out of the guest's memory and written in LLVM's text format.
"""
import hashlib
import json
import lzma
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from wasmtime import Config, Engine, Func, FuncType, Linker, Module, Store, ValType, WasiConfig

HERE = Path(__file__).resolve().parent
RECORD = struct.Struct("<QQiiIIIHHHxxI")  # struct __llvm_profile_data on wasm32


def main():
    work = Path(sys.argv[1])
    counters, records, names, base_counters, base_records = run(work)
    text = proftext(counters, records, names, base_counters, base_records)
    with tempfile.TemporaryDirectory() as folder:
        proftext_file, indexed = Path(folder, "p.proftext"), Path(folder, "p.profdata")
        proftext_file.write_text(text)
        subprocess.run(["llvm-profdata", "merge", "-o", indexed, proftext_file], check=True)
        data = lzma.compress(indexed.read_bytes(), preset=9)
    (HERE / "interpreter.profdata.xz").write_bytes(data)
    print(f"{len(records) // RECORD.size} functions, {len(data)} bytes")


def run(work: Path):
    config = Config()
    config.wasm_exceptions = True
    engine = Engine(config)
    store, linker = Store(engine), Linker(engine)
    wasi = WasiConfig()
    wasi.inherit_stderr()
    with tempfile.TemporaryDirectory() as empty:
        for host, guest in ((empty, "/"), (work / "stdlib", "/usr/local/lib/python3.13"), (empty, "/usr/local/lib/python3.13/site-packages"), (empty, "/workspace"), (empty, "/tmp")):
            wasi.preopen_dir(str(host), guest)
        store.set_wasi(wasi)
        linker.define_wasi()
        i32, replies = ValType.i32(), []

        def host(name, parameters, results, function):
            linker.define(store, "prims", name, Func(store, FuncType([i32] * parameters, [i32] * results), function))

        host("respond", 2, 0, lambda p, n: replies.append(bytes(memory.read(store, p, p + n))))
        host("dlopen", 2, 1, lambda p, n: 0)
        host("dlsym", 3, 1, lambda h, p, n: 0)
        host("dlerror", 2, 1, lambda p, n: 0)
        guest = linker.instantiate(store, Module.from_file(engine, str(work / "python-training.wasm"))).exports(store)
        memory = guest["memory"]

        def send(data: bytes):
            p = guest["prims_alloc"](store, len(data))
            memory.write(store, data, p)
            return p, len(data)

        guest["_initialize"](store)
        assert guest["prims_init"](store, *send(b'{"hash_seed": 0}')) == 0
        request = {"op": "run", "code": (HERE / "workload.py").read_text(), "filename": "<workload>", "argv": [], "env": {}, "stdin": None, "max_result_bytes": 1 << 20}
        assert guest["prims_call"](store, *send(json.dumps(request).encode())) == 0
        reply = json.loads(replies[-1])
        if reply["exit"] != "completed":
            sys.exit(reply["error"]["traceback"])
        at = [guest["prims_profile"](store, i) for i in range(6)]
        sections = [bytes(memory.read(store, at[i], at[i + 1])) for i in (0, 2, 4)]
    return *sections, at[0], at[2]


def function_names(section: bytes) -> dict[int, str]:
    """By the first half of the name's MD5, which is what the records hold."""
    names, at = {}, 0
    while at < len(section):
        size, at = leb(section, at)
        compressed, at = leb(section, at)
        if compressed:
            sys.exit("the names are compressed")
        for name in section[at:at + size].split(b"\x01"):
            names[int.from_bytes(hashlib.md5(name).digest()[:8], "little")] = name.decode()
        at += size
        while at < len(section) and section[at] == 0:
            at += 1  # padding between the units that were linked
    return names


def leb(data: bytes, at: int):
    value = shift = 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at


def proftext(counters: bytes, records: bytes, names: bytes, base_counters: int, base_records: int) -> str:
    known, lines = function_names(names), [":ir"]
    for offset in range(0, len(records) - RECORD.size + 1, RECORD.size):
        name, function_hash, relative, _, _, _, count, *_ = RECORD.unpack_from(records, offset)
        start = base_records + offset + relative - base_counters
        values = struct.unpack_from(f"<{count}Q", counters, start)
        if name in known:
            lines += [known[name], str(function_hash), str(count), *map(str, values), ""]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
