"""Formulas without a TeX: as MathML, which a browser shows by itself, and as plain text. Covers what course and students write."""

import re
from html import escape
from string import ascii_lowercase, ascii_uppercase
from unicodedata import normalize

TOKEN = re.compile(r"\\[a-zA-Z]+\*?|\\.|\d+(?:\.\d+)?|\s+|.", re.DOTALL)
DEEPEST = 40  # groups within each other


def _pairs(text: str) -> dict[str, str]:
    words = text.split()
    return dict(zip(words[::2], words[1::2], strict=True))


LETTERS = _pairs(
    "alpha α beta β gamma γ delta δ epsilon ϵ varepsilon ε zeta ζ eta η theta θ vartheta ϑ iota ι kappa κ lambda λ mu μ nu ν xi ξ "
    "pi π rho ρ sigma σ varsigma ς tau τ upsilon υ phi ϕ varphi φ chi χ psi ψ omega ω Gamma Γ Delta Δ Theta Θ Lambda Λ Xi Ξ Pi Π Sigma Σ "
    "Phi Φ Psi Ψ Omega Ω ell ℓ infty ∞ partial ∂ nabla ∇ emptyset ∅ varnothing ∅"
)
OPERATORS = _pairs(
    "cdot ⋅ times × pm ± mp ∓ div ÷ ast ∗ circ ∘ odot ⊙ oplus ⊕ otimes ⊗ le ≤ leq ≤ ge ≥ geq ≥ ne ≠ neq ≠ approx ≈ sim ∼ simeq ≃ "
    "equiv ≡ propto ∝ ll ≪ gg ≫ in ∈ notin ∉ subset ⊂ cup ∪ cap ∩ forall ∀ exists ∃ to → rightarrow → leftarrow ← gets ← "
    "longrightarrow ⟶ Rightarrow ⇒ Leftrightarrow ⇔ implies ⟹ iff ⟺ mapsto ↦ ldots … dots … cdots ⋯ vdots ⋮ mid ∣ vert | Vert ‖ "
    "| ‖ lvert | rvert | lVert ‖ rVert ‖ langle ⟨ rangle ⟩ lfloor ⌊ rfloor ⌋ lceil ⌈ rceil ⌉ lbrace { rbrace } { { } } colon : "
    "prime ′ parallel ∥ perp ⊥ setminus ∖ wedge ∧ vee ∨ neg ¬ top ⊤ dagger † star ⋆ bullet • square □ blacksquare ■ Box □ checkmark ✓ % % & & # # $ $ _ _"
)
LARGE = _pairs("sum ∑ prod ∏ int ∫ iint ∬ oint ∮ bigcup ⋃")
ACCENTS = _pairs("bar ¯ overline ¯ hat ^ widehat ^ tilde ~ widetilde ~ vec → dot ˙ ddot ¨ dddot ⃛ check ˇ")
BELOW = frozenset(
    ["min", "max", "arg", "argmin", "argmax", "sup", "inf", "lim"]
)  # their index stands below them
NAMED = BELOW | {"log", "ln", "exp", "sin", "cos", "tan", "arctan", "tanh", "det", "Pr", "dim"}
SPACES = {
    "quad": 1.0,
    "qquad": 2.0,
    ",": 0.17,
    ";": 0.28,
    ":": 0.22,
    ">": 0.22,
    " ": 0.28,
    "~": 0.28,
    "!": 0.0,
}
FONTS = {"mathcal": 0x1D49C, "mathscr": 0x1D49C, "mathbb": 0x1D538, "mathbf": 0x1D400, "boldsymbol": 0x1D400}
HOLES = {
    0x1D49C: _pairs("B ℬ E ℰ F ℱ H ℋ I ℐ L ℒ M ℳ R ℛ"),
    0x1D538: _pairs("C ℂ H ℍ N ℕ P ℙ Q ℚ R ℝ Z ℤ"),
}
TEXT = re.compile(r"text\w*|mbox|mathrm|mathsf|mathtt|mathit|operatorname\*?")
SILENT = frozenset(
    ["displaystyle", "textstyle", "scriptstyle", "limits", "nolimits", "nonumber", "notag", "right", "\\"]
)
SIZED = re.compile(r"[bB]igg?[lrm]?|middle")


def mathml(tex: str, display: bool = False) -> str:
    """A formula as a <math> element; every character of the source is escaped. Raises ValueError for one that is nested too deeply."""
    parser = _Parser(TOKEN.findall(tex))
    body = ""
    while parser.peek():
        body += parser.grid()
        parser.next()  # a stray closing brace or \\end
    return f'<math display="{"block" if display else "inline"}"><mrow>{body}</mrow></math>'


def plain(text: str) -> str:
    r"""Text with formulas between dollars in the characters that are read aloud: "of $\bar\alpha_t$" is "of ᾱ_t"."""
    return re.sub(r"\$([^$]+)\$", lambda found: _spoken(found[1]), text)


def _spoken(tex: str) -> str:
    tex = re.sub(r"\\(?:[dt]?frac)\s*{([^{}]*)}\s*{([^{}]*)}", r"(\1)/(\2)", tex)
    tex = re.sub(r"\\sqrt\s*{([^{}]*)}", r"√(\1)", tex)
    tex = re.sub(r"\\(?:bar|overline)\s*({?)(\\?[a-zA-Z]+)(}?)", lambda f: _symbol(f[2]) + "\u0304", tex)
    tex = re.sub(r"\\(?:hat|widehat)\s*({?)(\\?[a-zA-Z]+)(}?)", lambda f: _symbol(f[2]) + "\u0302", tex)
    tex = re.sub(r"\\[a-zA-Z]+\*?|\\.", lambda f: _symbol(f[0]), tex)
    return normalize("NFC", re.sub(r"\s+", " ", tex.replace("{", "").replace("}", "")).strip())


def _symbol(command: str) -> str:
    name = command.removeprefix("\\")
    if name == command:
        return command
    if name in SPACES:
        return " "
    if TEXT.fullmatch(name) or name in FONTS or name in SILENT or name == "left" or SIZED.fullmatch(name):
        return ""
    return LETTERS.get(name) or OPERATORS.get(name) or LARGE.get(name) or name


class _Parser:
    """Reads tokens once, from left to right; what is missing is empty, what is unknown is shown as it stands."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens, self.at, self.depth = tokens, 0, 0

    def peek(self) -> str:
        """The next token that is no blank, "" at the end."""
        while self.at < len(self.tokens) and self.tokens[self.at].isspace():
            self.at += 1
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def next(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def row(self, *ends: str) -> str:
        """Everything up to a token that ends it, which is left, or a closing brace."""
        parts = []
        while self.peek() not in ("", "}", *ends):
            parts.append(self.scripted())
        return "".join(parts)

    def scripted(self) -> str:
        token = self.peek()
        name = token.removeprefix("\\")
        base = self.atom()
        scripts: dict[str, str] = {}
        while self.peek() in ("_", "^", "'") or self.peek() in ("\\limits", "\\nolimits"):
            mark = self.next()
            if mark == "'":
                scripts["^"] = scripts.get("^", "") + "<mo>′</mo>"
            elif mark in ("_", "^"):
                scripts[mark] = scripts.get(mark, "") + self.argument()
        if not scripts:
            return base
        over = (
            "under"
            if name in LARGE.keys() - {"int", "iint", "oint"} or name in BELOW | {"underbrace"}
            else "sub"
        )
        low, high = scripts.get("_"), scripts.get("^")
        top = "over" if over == "under" else "sup"
        if low is not None and high is not None:
            return f"<m{over}{top}>{base}<mrow>{low}</mrow><mrow>{high}</mrow></m{over}{top}>"
        tag, inside = (f"m{over}", low) if low is not None else (f"m{top}", high)
        return f"<{tag}>{base}<mrow>{inside}</mrow></{tag}>"

    def argument(self) -> str:
        """A group in braces, or the next symbol alone."""
        token = self.peek()
        if not token:
            return "<mrow></mrow>"
        if token[0].isdigit() and len(token) > 1:  # \frac12 is one half
            self.tokens[self.at] = token[1:]
            return f"<mn>{token[0]}</mn>"
        return self.atom()

    def atom(self) -> str:
        self.depth += 1
        if self.depth > DEEPEST:
            raise ValueError(f"formula: groups within each other, more than {DEEPEST}")
        found = self.symbol(self.next())
        self.depth -= 1
        return found

    def symbol(self, token: str) -> str:
        if token == "{":
            inside = self.row()
            self.next()
            return f"<mrow>{inside}</mrow>"
        if token.startswith("\\") and len(token) > 1:
            return self.command(token[1:])
        if token[:1].isdigit():
            return f"<mn>{token}</mn>"
        if token.isalpha():
            return f"<mi>{escape(token)}</mi>"
        if token in ("&", "_", "^", "}", ""):
            return "<mrow></mrow>"
        return _operator({"-": "−", "*": "∗", "~": " "}.get(token, token))

    def command(self, name: str) -> str:
        if name in LETTERS:
            return f"<mi>{LETTERS[name]}</mi>"
        if name in LARGE:
            return f"<mo>{LARGE[name]}</mo>"
        if name in SPACES:
            return f'<mspace width="{SPACES[name]}em"></mspace>'
        if name in OPERATORS:
            return _operator(OPERATORS[name])
        if name in NAMED:
            return f'<mo lspace="0.1em" rspace="0.1em">{name}</mo>'
        if name in ("frac", "dfrac", "tfrac", "binom"):
            above, under = self.argument(), self.argument()
            line = ' linethickness="0"' if name == "binom" else ""
            whole = f"<mfrac{line}>{above}{under}</mfrac>"
            return f"<mrow><mo>(</mo>{whole}<mo>)</mo></mrow>" if name == "binom" else whole
        if name == "sqrt":
            return self.root()
        if name in ACCENTS:
            return f'<mover accent="true">{self.argument()}<mo>{ACCENTS[name]}</mo></mover>'
        if name in ("overset", "stackrel", "underset"):
            mark, base = self.argument(), self.argument()
            side = "under" if name == "underset" else "over"
            return f"<m{side}>{base}<mrow>{mark}</mrow></m{side}>"
        if name == "tag":
            return f'<mspace width="2em"></mspace><mtext>({escape(self.words())})</mtext>'
        if name in ("underbrace", "underline"):
            return f"<munder>{self.argument()}<mo>{'⏟' if name == 'underbrace' else '_'}</mo></munder>"
        if TEXT.fullmatch(name):
            return f"<mtext>{escape(self.words())}</mtext>"
        if name in FONTS:
            return f"<mi>{escape(_styled(self.words(), FONTS[name]))}</mi>"
        if name == "left":
            return self.fenced()
        if name == "begin":
            return self.table()
        if name in SILENT or SIZED.fullmatch(name):
            return "<mrow></mrow>"
        return f"<mtext>\\{escape(name)}</mtext>"

    def root(self) -> str:
        if self.peek() != "[":
            return f"<msqrt>{self.argument()}</msqrt>"
        self.next()
        index = self.row("]")
        self.next()
        return f"<mroot>{self.argument()}<mrow>{index}</mrow></mroot>"

    def words(self) -> str:
        """The characters of a group as they stand, or the next symbol."""
        if self.peek() != "{":
            return _symbol(self.next())
        self.next()
        found, depth = [], 1
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            self.at += 1
            depth += {"{": 1, "}": -1}.get(token, 0)
            if not depth:
                break
            found.append(_symbol(token) if token.startswith("\\") else token)
        return "".join(found)

    def fenced(self) -> str:
        left = self.fence()
        inside = self.row("\\right")
        self.next()
        return f"<mrow>{left}{inside}{self.fence()}</mrow>"

    def fence(self) -> str:
        token = self.next()
        mark = "" if token in (".", "") else OPERATORS.get(token.removeprefix("\\"), token)
        return f'<mo stretchy="true">{escape(mark)}</mo>' if mark else ""

    def table(self) -> str:
        kind = self.words().rstrip("*")
        if kind == "array":
            self.words()
        inside = self.grid("aligned" if kind in ("aligned", "align", "split", "gathered") else "")
        if self.next():  # \\end
            self.words()
        sides = {"cases": ("{", ""), "pmatrix": ("(", ")"), "bmatrix": ("[", "]"), "vmatrix": ("|", "|")}
        left, right = sides.get(kind, ("", ""))
        fences = [f'<mo stretchy="true">{side}</mo>' if side else "" for side in (left, right)]
        return f"<mrow>{fences[0]}{inside}{fences[1]}</mrow>"

    def grid(self, style: str = "aligned") -> str:
        r"""Rows that end in \\\\, of cells that end in &, up to a closing brace or \\end; a single cell is no table."""
        rows = [[self.row("&", "\\\\", "\\end")]]
        while self.peek() in ("&", "\\\\"):
            if self.next() == "\\\\":
                rows.append([])
            rows[-1].append(self.row("&", "\\\\", "\\end"))
        if len(rows) == len(rows[0]) == 1:
            return rows[0][0]
        lines = ("".join(f"<mtd>{cell}</mtd>" for cell in row) for row in rows if any(row))
        return f'<mtable class="{style}" displaystyle="true">{"".join(f"<mtr>{line}</mtr>" for line in lines)}</mtable>'


def _operator(mark: str) -> str:
    stretch = ' stretchy="false"' if mark in "()[]{}|‖∣⟨⟩" else ""
    return f"<mo{stretch}>{escape(mark)}</mo>"


def _styled(words: str, first: int) -> str:
    """Letters in a mathematical alphabet whose A is `first`; some stand elsewhere in Unicode, and what has no place stays."""
    alphabet = "".join(chr(first + k) for k in range(26))
    for name, letters in HOLES.get(first, {}).items():
        alphabet = alphabet.replace(chr(first + ord(name) - ord("A")), letters)
    table = dict(zip(map(ord, ascii_uppercase), alphabet, strict=True))
    if first == 0x1D400:  # bold has small letters as well
        table |= {ord(c): chr(0x1D41A + k) for k, c in enumerate(ascii_lowercase)}
    return words.translate(table)
