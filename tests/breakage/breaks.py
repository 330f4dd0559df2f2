"""breaks: what a break is, and what the kinds (kinds_*.py) are written with.

A kind is a function that yields Breaks of one Source. A Break is one mistake: edits of
the file's text, and the places (the very lines) where somebody would have to mend it.
All that is drawn by lot comes from the rng that is passed in.
"""
import facts

KINDS = {}


def kind(name, fix=False, lint=False):
    """fix: there is one right answer. lint: the .cf need not differ."""
    def keep(f):
        KINDS[name] = f
        f.fix, f.lint = fix, lint
        return f
    return keep


class Break:
    """edits: [(start, end, new text)] of the good file. at: places of the very line, each an
    offset in the good text, or (number of the edit, offset in its new text). good: edits that
    give the file as it should be, where that is not the good file itself. about: a pattern;
    then any place will do and a finding must say it. fix: False if nobody can know the right
    answer, though the kind has one as a rule."""

    def __init__(self, shape, edits, at, good=(), about=None, fix=True):
        self.shape, self.edits, self.at = shape, sorted(edits, key=lambda e: e[:2]), at
        self.good, self.about, self.fix = sorted(good), about, fix


def apply(text, edits, at=()):
    """The edited text, and the line numbers of the places."""
    out, starts, done = [], [], 0
    for start, end, new in edits:
        out.append(text[done:start])
        starts.append(sum(map(len, out)))
        out.append(new)
        done = end
    out.append(text[done:])
    broken = "".join(out)
    lines = set()
    for place in at:
        if isinstance(place, tuple):
            offset = starts[place[0]] + place[1]
        else:
            shift = 0
            for start, end, new in edits:
                if end <= place:
                    shift += len(new) - (end - start)
                elif start <= place:
                    place = start
            offset = place + shift
        lines.add(broken.count("\n", 0, offset) + 1)
    return broken, lines


# ---- making breaks ----------------------------------------------------------------------------

def replaced(shape, start, end, new, at=None, **more):
    """Other text in a line that stands there."""
    return Break(shape, [(start, end, new)], [start if at is None else at], **more)


def insertion(src, offset, lines):
    """An edit that puts whole lines in."""
    lead = "" if offset == 0 or src.text[offset - 1] == "\n" else src.eol
    return (offset, offset, lead + "".join(line + src.eol for line in lines))


def put_in(src, offset, shape, line, good=None, before=(), at=(), **more):
    """A wrong line put in at an offset, below the lines of before. good: the line as it
    should be. at: other places that count too."""
    edit = insertion(src, offset, [*before, line])
    place = (0, len(edit[2]) - len(line) - len(src.eol))
    right = [insertion(src, offset, [*before, good])] if good else []
    return Break(shape, [edit], [place, *at], good=right, **more)


def both_in(src, offset, shape, first, second, before=()):
    """Two lines that contradict one another; either may be told."""
    edit = insertion(src, offset, [*before, first, second])
    behind = len(edit[2]) - len(second) - len(src.eol)
    return Break(shape, [edit], [(0, behind), (0, behind - len(first) - len(src.eol))])


def moved(src, call, offset, shape, **more):
    """The line of a call taken away and put in at an offset."""
    text = src.text[call.line_start:call.line_end]
    if not text.endswith("\n"):
        text += src.eol
    lead = "" if offset == 0 or src.text[offset - 1] == "\n" else src.eol
    edits = [(call.line_start, call.line_end, ""), (offset, offset, lead + text)]
    at = (1 if offset >= call.line_end else 0, len(lead) + call.start - call.line_start)
    return Break(shape, edits, [at], **more)


# ---- drawing lots -----------------------------------------------------------------------------

def pick(rng, things):
    things = list(things)
    return things[rng.randrange(len(things))] if things else None


def some(rng, things, n):
    things = list(things)
    return [things[i] for i in sorted(rng.sample(range(len(things)), min(n, len(things))))]


def spot(rng, src):
    """An offset where a directive can be put in, or None."""
    place = pick(rng, src.directive_places())
    return place.at if place else None


def spots(rng, src, n):
    return [p.at for p in some(rng, src.directive_places(), n)]


NEAR = dict(zip("abcdefghijklmnopqrstuvwxyz", "svdrwdhgujkmnbpowtayibcuxs"))


def misspellings(rng, word, taken, case=True, other=()):
    """[(shape, wrong word)]; none of them is in taken."""
    letters = [i for i, c in enumerate(word) if c.isalnum()]
    out = []
    swaps = [i for i in letters if i + 1 in letters and word[i] != word[i + 1]]
    if swaps:
        i = pick(rng, swaps)
        out.append(("transposed", word[:i] + word[i + 1] + word[i] + word[i + 2:]))
    i = pick(rng, letters)
    out.append(("dropped", word[:i] + word[i + 1:]))
    out.append(("dropped last", word[:-1]))
    i = pick(rng, letters)
    out.append(("doubled", word[:i] + word[i] + word[i:]))
    i = pick(rng, [i for i in letters if word[i].lower() in NEAR] or letters)
    new = NEAR.get(word[i].lower(), "7")
    out.append(("replaced", word[:i] + (new.upper() if word[i].isupper() else new) + word[i + 1:]))
    if case:
        out += [("lower case", word.lower()), ("upper case", word.upper()),
                ("capitalized", word.capitalize())]
    out += other
    seen, good = {word, ""}, []
    for shape, wrong in out:
        if wrong not in taken and wrong not in seen:
            seen.add(wrong)
            good.append((shape, wrong))
    return good


# ---- what stands in a file --------------------------------------------------------------------

SIMPLE = facts.MACROS | {"define", "undefine"}


def simple_calls(src, names=SIMPLE):
    """Calls that the kinds know how to break: ours, with arguments. VERSIONID's text is a
    remark, where little can go wrong."""
    return [c for c in src.calls if c.name in names and c.args and c.name != "VERSIONID"]


def definitions(src, names=None):
    """Definitions of one of these variables (or any) with a value that is one word of m4's."""
    return [c for c in src.named("define")
            if len(c.args) == 2 and (names is None or c.arg(0) in names)
            and (c.args[1].simple or c.args[1].bare)]


def alone_mailers(src):
    return [c for c in src.named("MAILER") if c.alone]
