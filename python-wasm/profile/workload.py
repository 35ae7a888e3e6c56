"""What the interpreter is trained on: a little of everything that short programs do. Each part runs about equally long."""
import array, ast, asyncio, base64, bisect, collections, contextlib, copy, csv, dataclasses, datetime, decimal, enum, fractions, functools
import hashlib, heapq, html, inspect, io, itertools, json, math, operator, os, pathlib, pickle, random, re, statistics, string, struct
import tempfile, textwrap, time, traceback, types, typing, unicodedata, urllib.parse, uuid, xml.etree.ElementTree

PARTS = []


def part(function):
    PARTS.append(function)
    return function


@part
def calls():
    def fib(n):
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    def ack(m, n, *, limit=10):
        return n + 1 if m == 0 else ack(m - 1, 1) if n == 0 else ack(m - 1, ack(m, n - 1), limit=limit)

    def spread(*args, **kwargs):
        return len(args) + len(kwargs)

    fib(18), ack(2, 12)
    sum(spread(*range(i % 5), a=i, **{"b": 1}) for i in range(3000))
    counter = functools.lru_cache(None)(lambda n: 1 if n < 2 else counter(n - 1) + counter(n - 2))
    counter(300)


@part
def numbers():
    bodies = [[0.0, 1.0, 0.5, 0.1], [4.8, -1.1, 0.6, 2.8], [8.3, 4.1, -1.0, 1.8], [12.8, -15.1, 1.0, 0.8]]
    for _ in range(700):
        for a, b in itertools.combinations(bodies, 2):
            dx, dy = a[0] - b[0], a[1] - b[1]
            m = 0.01 * (dx * dx + dy * dy) ** -1.5
            a[2] -= dx * m; a[3] -= dy * m; b[2] += dx * m; b[3] += dy * m
        for b in bodies:
            b[0] += 0.01 * b[2]; b[1] += 0.01 * b[3]
    primes = [True] * 20000
    for i in range(2, 142):
        if primes[i]:
            for j in range(i * i, 20000, i):
                primes[j] = False
    sum(i for i, p in enumerate(primes) if p)
    [math.sin(x) * math.sqrt(abs(x)) + math.floor(x) for x in (i * 0.37 for i in range(6000))]
    n = 1
    for i in range(1, 400):
        n = n * i % (2 ** 521 - 1)
    str(2 ** 3000), 3 ** 500 // 7 ** 100, pow(3, 10 ** 50, 10 ** 40 + 9), math.gcd(2 ** 300, 6 ** 80), divmod(10 ** 200, 10 ** 80 + 3)
    x = 12345
    for _ in range(8000):
        x = (x * 1103515245 + 12345) & 0x7FFFFFFF
        x ^= x >> 3
    complex(1, 2) ** 2 / complex(3, 4)
    while n > 1:
        n //= 3
    matrix = [[i * j % 7 for j in range(24)] for i in range(24)]
    [[sum(a * b for a, b in zip(row, col)) for col in zip(*matrix)] for row in matrix]


@part
def strings():
    words = ("the quick brown fox jumps over the lazy dog " * 60).split()
    counts = {}
    for w in words:
        counts[w] = counts.get(w, 0) + 1
    collections.Counter(words).most_common(3)
    lines = [f"{i:05d} | {w:<10} | {i * 1.5:8.2f} | {w!r} | {i:x} | {i:,}" for i, w in enumerate(words)]
    text = "\n".join(lines)
    [line.strip().split(" | ")[1].upper().title().replace("o", "0") for line in text.splitlines()]
    "".join(c for c in text if c.isalnum())[::-1].find("9")
    text.encode().decode("utf-8").casefold().count("fox")
    "%s is %d years and %.3f" % ("x", 4, 2.5), "{0} {name:>8}".format(1, name="n")
    s = ""
    for i in range(1500):
        s += chr(97 + i % 26)
    "äöü€😀ß".encode("utf-16").decode("utf-16").upper(), unicodedata.normalize("NFKD", "Ünïcödé ﬁ" * 20), unicodedata.name("é")
    [ord(c) for c in "grüße, мир, 世界" * 20]
    textwrap.fill(" ".join(words), 60), textwrap.dedent("    a\n      b\n    c")
    string.Template("$a and $b").substitute(a=1, b=2), html.escape("<a & b>" * 50), urllib.parse.quote("a b/ü" * 20), urllib.parse.urlparse("https://example.org:80/a?b=c#d")
    text.startswith("000"), "fox" in text, text.partition("|"), text.translate(str.maketrans("abc", "xyz"))
    b = bytearray(text.encode()); b[10:20] = b"0123456789"; bytes(b).hex()[:100]; b.find(b"lazy")


@part
def containers():
    d = {}
    for i in range(6000):
        k = f"k{i % 500}"
        d[k] = d.get(k, 0) + i
        d.setdefault(i % 97, []).append(i)
    sorted(((k, v) for k, v in d.items() if isinstance(v, int)), key=lambda p: (-p[1], p[0]))[:5]
    a = [random.random() for _ in range(5000)]
    sorted(a), sorted(a, reverse=True), sorted(map(str, a[:500])), max(a), min(a, key=abs), sum(a)
    set(range(1000)) & set(range(500, 1500)) | {1, 2, 3} - {2}, frozenset("abc")
    q = collections.deque(maxlen=100)
    for i in range(2000):
        q.append(i)
    heap = []
    for x in a[:1500]:
        heapq.heappush(heap, x)
    [heapq.heappop(heap) for _ in range(1500)]
    groups = collections.defaultdict(list)
    for x in a:
        groups[int(x * 10)].append(x)
    {k: statistics.fmean(v) for k, v in groups.items()}
    b = list(range(3000)); b[::2] = b[1::2]; b.reverse(); b.insert(5, 1); b.remove(7); b.index(11); del b[10:20]; b.extend([1, 2]); b * 2; b == list(b)
    [bisect.bisect(b[:100], i) for i in range(300)]
    t = tuple(b[:50]); hash(t); t + (1,); {t: 1}
    point = collections.namedtuple("point", "x y"); [point(i, i).x + point(i, 1).y for i in range(1000)]
    x, *rest = b[:10]; first, second = rest[:2]; m = {**{"a": 1}, "b": 2}; m |= {"c": 3}; any(v > 2 for v in m.values()), all(m)
    copy.deepcopy({"a": [1, {"b": (1, 2)}] * 20})
    collections.OrderedDict(a=1).move_to_end("a"); collections.ChainMap({"a": 1}, {"b": 2})["b"]
    for i, (p, r) in enumerate(zip(b, reversed(b))):
        if p == r or i > 2000:
            continue
    dict(zip("abc", range(3))), dict.fromkeys(range(50)), [*range(5), *b[:5]]


class Shape:
    kind = "shape"

    def __init__(self, name, size):
        self.name, self.size = name, size
        self._cache = None

    @property
    def area(self):
        if self._cache is None:
            self._cache = self.compute()
        return self._cache

    def compute(self):
        return 0

    def __repr__(self):
        return f"{type(self).__name__}({self.name!r}, {self.size})"

    def __eq__(self, other):
        return isinstance(other, Shape) and self.size == other.size

    def __lt__(self, other):
        return self.size < other.size

    def __hash__(self):
        return hash(self.name)

    def __add__(self, other):
        return type(self)(self.name, self.size + other.size)

    def __getattr__(self, name):
        if name == "color":
            return "red"
        raise AttributeError(name)


class Square(Shape):
    def compute(self):
        return self.size ** 2

    def scale(self, by):
        super().__init__(self.name, self.size * by)
        return self

    @classmethod
    def unit(cls):
        return cls("unit", 1)

    @staticmethod
    def sides():
        return 4


class Vector:
    __slots__ = ("x", "y")

    def __init__(self, x, y):
        self.x = x
        self.y = y

    def __add__(self, o):
        return Vector(self.x + o.x, self.y + o.y)

    def __iter__(self):
        yield self.x
        yield self.y

    def __len__(self):
        return 2

    def __getitem__(self, i):
        return (self.x, self.y)[i]


@dataclasses.dataclass(order=True)
class Item:
    price: float
    name: str = "x"
    tags: list = dataclasses.field(default_factory=list)


class Color(enum.Enum):
    RED = 1
    BLUE = 2


@part
def classes():
    v = Vector(0, 0)
    for i in range(3000):
        v = v + Vector(1, i)
        v[0], len(v)
    shapes = [Square(f"s{i % 10}", i % 17) for i in range(1500)]
    sum(s.area for s in shapes), sorted(shapes)[:3], repr(shapes[:5]), len(set(shapes)), shapes[0] + shapes[1], shapes[0].color, Square.unit().scale(3).sides()
    hasattr(shapes[0], "nothing"), getattr(shapes[0], "size"), isinstance(shapes[0], (int, Shape)), issubclass(Square, Shape)
    items = [Item(float(i % 13), str(i)) for i in range(800)]
    sorted(items)[:2], dataclasses.asdict(items[0]), dataclasses.replace(items[0], name="y"), items[0] == items[1], str(items[:3])
    [Color(1 + i % 2).name for i in range(500)], Color.RED is Color["RED"]
    sum(x for v in [Vector(1, 2)] * 500 for x in v)
    type("Dynamic", (Shape,), {"f": lambda self: 1})("a", 1).f()


@part
def control():
    n = 0
    for i in range(2500):
        try:
            if i % 3 == 0:
                raise ValueError(i)
            if i % 3 == 1:
                {}[i]
            [][i]
        except (KeyError, ValueError) as e:
            n += bool(e.args)
        except IndexError:
            n += 1
        finally:
            n -= 1
        match (i % 4, {"k": i}):
            case (0, {"k": k}) if k > 5:
                n += 1
            case (1 | 2, _):
                n += 2
            case _:
                pass

    @contextlib.contextmanager
    def scope(x):
        yield x

    for i in range(800):
        with scope(i) as s, contextlib.suppress(KeyError):
            n += s
            if i % 50 == 0:
                raise KeyError

    def gen(k):
        for i in range(k):
            r = yield i
            if r:
                yield r

    for k in range(200):
        g = gen(10)
        next(g), g.send(5)
        sum(g)

    def chain(*its):
        for it in its:
            yield from it

    sum(chain(range(2000), (x * x for x in range(2000)), map(operator.neg, range(1000)), filter(None, range(1000))))
    list(itertools.islice(itertools.accumulate(itertools.count()), 500)), list(itertools.product("abc", repeat=4)), list(itertools.permutations(range(5)))
    [k for k, _ in itertools.groupby(sorted("mississippi" * 40))], functools.reduce(operator.add, range(1000))
    [(lambda a, b=i: a + b)(i) for i in range(1500)], (w := 5) + w
    for i in range(300):
        try:
            raise RuntimeError("x") from ValueError("y")
        except RuntimeError:
            if i % 60 == 0:
                traceback.format_exc()

    async def work(i):
        await asyncio.sleep(0)
        return i

    async def main():
        return sum(await asyncio.gather(*(work(i) for i in range(60))))

    asyncio.run(main())


@part
def formats():
    data = [{"id": i, "name": f"user {i}", "tags": ["a", "b\n", "ü"], "score": i * 1.25, "ok": i % 2 == 0, "none": None, "nested": {"x": [i, -i, 1e10]}} for i in range(250)]
    s = json.dumps(data); json.loads(s); json.dumps(data[:60], indent=2, sort_keys=True); json.loads(json.dumps({"a": 1}))
    out = io.StringIO(); w = csv.writer(out)
    for r in data:
        w.writerow([r["id"], r["name"], r["score"], 'quoted "text", here'])
    list(csv.DictReader(io.StringIO("id,name,score,q\n" + out.getvalue())))
    pickle.loads(pickle.dumps(data)), base64.b64decode(base64.b64encode(s.encode()))
    root = xml.etree.ElementTree.fromstring("<r>" + "".join(f'<i id="{i}"><n>text {i}</n></i>' for i in range(200)) + "</r>")
    [e.attrib["id"] for e in root.iter("i")], xml.etree.ElementTree.tostring(root)
    [struct.unpack("<IhB", struct.pack("<IhB", i, -1, 3)) for i in range(300)], array.array("d", range(300)).tobytes()
    hashlib.sha256(s.encode()).hexdigest(), hashlib.md5(b"x").hexdigest(), hashlib.sha1(b"x").hexdigest(), hashlib.blake2b(b"x").hexdigest(), uuid.uuid5(uuid.NAMESPACE_DNS, "x")
    ast.literal_eval(repr(data[:20]))


@part
def patterns():
    text = "2024-01-15 ERROR [main] user=alice id=42 took 3.5ms; mail bob@example.org\n" * 60
    re.findall(r"(\w+)=(\w+)", text), re.sub(r"\d+", lambda m: str(int(m[0]) + 1), text), re.split(r"[;\s]+", text)
    [m.groupdict() for m in re.finditer(r"(?P<y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d)", text)], re.search(r"[\w.+-]+@[\w-]+\.[\w.]+", text).group()
    for i in range(8):
        re.purge(); re.compile(rf"(a|b{i})*c+?(?:x|y){{2,3}}[^0-9]$|^(foo|bar)\b(?=z)", re.I)
    re.match(r"(?:a+)+b", "a" * 14 + "c"), re.fullmatch(r"\s*([a-z]+)\s*:\s*(.*)", "key : value"), re.sub(r"(?i)error", "warning", text)


@part
def dates_and_decimals():
    d = datetime.datetime(2024, 1, 1)
    for i in range(500):
        e = d + datetime.timedelta(days=i, hours=i)
        e.strftime("%Y-%m-%d %H:%M"), e.isoformat(), (e - d).total_seconds(), e.weekday()
    [datetime.datetime.strptime("2024-02-03 04:05", "%Y-%m-%d %H:%M") for _ in range(40)], datetime.date.fromisoformat("2024-05-06"), datetime.datetime.now(datetime.timezone.utc)
    x = decimal.Decimal("1.1")
    for i in range(500):
        x = (x * decimal.Decimal("1.01") + i).quantize(decimal.Decimal("0.0001"))
    sum(fractions.Fraction(1, i) for i in range(1, 80)), round(2.675, 2), float("1.5e3"), int("ff", 16), repr(0.1 + 0.2)
    [float(str(i / 7)) for i in range(1000)], [int(str(i)) for i in range(2000)]
    statistics.stdev(range(500)), statistics.median([3, 1, 2]), time.strftime("%Y"), time.time()
    r = random.Random(5); r.shuffle(list(range(500))), r.choices(range(10), k=300), r.sample(range(1000), 50), [r.randint(1, 6) for _ in range(500)], r.gauss(0, 1)


@part
def programs():
    source = inspect.getsource(textwrap)
    exec(compile(source, "t", "exec"), {"__name__": "t"})
    ast.unparse(ast.parse(source)), ast.dump(ast.parse("f(x)[1:2] + {**a}"))
    for i in range(40):
        ns = {}
        exec(f"def f(a, b={i}):\n    return [x * b for x in range(a) if x % 2]\nr = f({i})", ns)
        eval("1 + 2 * r[0] if r else len('abc')", ns)
    inspect.signature(calls), typing.get_type_hints(Item), types.SimpleNamespace(a=1)


@part
def files():
    folder = tempfile.mkdtemp()
    path = pathlib.Path(folder) / "a.txt"
    path.write_text("line\n" * 1500)
    with open(path) as f:
        n = sum(len(line) for line in f)
    with open(path, "ab") as f:
        f.write(b"x" * 1000)
    path.read_bytes(), path.stat().st_size, os.listdir(folder), path.suffix, path.with_suffix(".md"), os.path.join("a", "b"), [p.name for p in path.parent.iterdir()]
    path.unlink(); os.rmdir(folder)
    out = io.StringIO()
    for i in range(800):
        print(i, "text", i * 0.5, file=out, sep=",")


for _ in range(3):
    for p in PARTS:
        p()
