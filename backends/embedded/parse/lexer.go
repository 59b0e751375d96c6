package parse

import (
	"strings"
)

type tokenKind uint8

const (
	tokEOF tokenKind = iota
	tokIdent
	tokQuoted
	tokString
	tokInt
	tokFloat
	tokBlob
	tokUUID
	tokDuration
	tokMarker // ?
	tokPunct
)

// token is a lexeme. text is folded for identifiers, unquoted for strings and
// quoted names, and as written for the rest.
type token struct {
	kind       tokenKind
	start, end int
	text       string
}

// lexer cuts a whole statement into tokens. gaps counts, for each token, the
// runs of blanks and comments before it: Cassandra's error snippets count them.
type lexer struct {
	src     string
	dialect Dialect
	pos     int
	tokens  []token
}

func lex(src string, d Dialect) ([]token, error) {
	l := &lexer{src: src, dialect: d, tokens: make([]token, 0, len(src)/5+4)}
	for {
		if err := l.blank(); err != nil {
			return nil, err
		}
		if l.pos >= len(src) {
			l.tokens = append(l.tokens, token{kind: tokEOF, start: len(src), end: len(src)})
			return l.tokens, nil
		}
		if err := l.next(); err != nil {
			return nil, err
		}
	}
}

// blank skips white space and comments. Cassandra knows --, // and /* */;
// YCQL nests the last and does not know //.
func (l *lexer) blank() error {
	s := l.src
	for l.pos < len(s) {
		c := s[l.pos]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v':
			l.pos++
		case c == '-' && strings.HasPrefix(s[l.pos:], "--"),
			c == '/' && l.dialect == Cassandra && strings.HasPrefix(s[l.pos:], "//"):
			if i := strings.IndexByte(s[l.pos:], '\n'); i >= 0 {
				l.pos += i + 1
			} else {
				l.pos = len(s)
			}
		case c == '/' && strings.HasPrefix(s[l.pos:], "/*"):
			end := l.comment()
			if end < 0 {
				return lexError(l.src, l.dialect, l.pos, len(s), "unterminated /* comment")
			}
			l.pos = end
		default:
			return nil
		}
	}
	return nil
}

// comment returns the offset behind the block comment at pos, or -1.
func (l *lexer) comment() int {
	s, i, depth := l.src, l.pos+2, 1
	for i+1 < len(s) {
		switch {
		case s[i] == '*' && s[i+1] == '/':
			i += 2
			if depth--; depth == 0 {
				return i
			}
		case l.dialect == YCQL && s[i] == '/' && s[i+1] == '*':
			i += 2
			depth++
		default:
			i++
		}
	}
	return -1
}

func (l *lexer) emit(k tokenKind, end int, text string) {
	l.tokens = append(l.tokens, token{kind: k, start: l.pos, end: end, text: text})
	l.pos = end
}

func (l *lexer) next() error {
	s, i := l.src, l.pos
	c := s[i]
	switch {
	case isHex(c) && isUUID(s[i:]):
		l.emit(tokUUID, i+36, s[i:i+36])
	case isDigit(c):
		return l.number()
	case isLetter(c):
		j := i + 1
		for j < len(s) && (isLetter(s[j]) || isDigit(s[j]) || s[j] == '_' || s[j] == '$' && l.dialect == YCQL) {
			j++
		}
		l.emit(tokIdent, j, fold(s[i:j]))
	case c == '_' && l.dialect == YCQL:
		j := i + 1
		for j < len(s) && (isLetter(s[j]) || isDigit(s[j]) || s[j] == '_') {
			j++
		}
		l.emit(tokIdent, j, fold(s[i:j]))
	case c == '\'':
		return l.quoted('\'', tokString)
	case c == '"':
		return l.quoted('"', tokQuoted)
	case c == '$' && strings.HasPrefix(s[i:], "$$"):
		j := strings.Index(s[i+2:], "$$")
		if j < 0 {
			return lexError(s, l.dialect, i, len(s), "unterminated $$ string")
		}
		l.emit(tokString, i+j+4, s[i+2:i+2+j])
	case c == '?':
		l.emit(tokMarker, i+1, "?")
	default:
		for _, op := range [...]string{"<=", ">=", "!=", "<>", "+=", "-=", "->>", "->"} {
			if strings.HasPrefix(s[i:], op) {
				l.emit(tokPunct, i+len(op), op)
				return nil
			}
		}
		if strings.IndexByte("()[]{}<>=,;:.+-*/%@", c) >= 0 {
			l.emit(tokPunct, i+1, s[i:i+1])
			return nil
		}
		return lexError(s, l.dialect, i, i+1, "")
	}
	return nil
}

func (l *lexer) quoted(q byte, k tokenKind) error {
	s, i := l.src, l.pos
	var b strings.Builder
	plain := true
	for j := i + 1; j < len(s); j++ {
		if s[j] != q {
			if !plain {
				b.WriteByte(s[j])
			}
			continue
		}
		if j+1 < len(s) && s[j+1] == q {
			if plain {
				b.WriteString(s[i+1 : j])
				plain = false
			}
			b.WriteByte(q)
			j++
			continue
		}
		text := b.String()
		if plain {
			text = s[i+1 : j]
		}
		l.emit(k, j+1, text)
		return nil
	}
	return lexError(s, l.dialect, i, len(s), "unterminated quoted text")
}

func (l *lexer) number() error {
	s, i := l.src, l.pos
	if s[i] == '0' && i+1 < len(s) && (s[i+1] == 'x' || s[i+1] == 'X') {
		j := i + 2
		for j < len(s) && isHex(s[j]) {
			j++
		}
		l.emit(tokBlob, j, s[i:j])
		return nil
	}
	j := i
	for j < len(s) && isDigit(s[j]) {
		j++
	}
	kind := tokInt
	if j < len(s) && s[j] == '.' && (j+1 >= len(s) || s[j+1] != '.') {
		kind = tokFloat
		j++
		for j < len(s) && isDigit(s[j]) {
			j++
		}
	}
	if j < len(s) && (s[j] == 'e' || s[j] == 'E') {
		k := j + 1
		if k < len(s) && (s[k] == '+' || s[k] == '-') {
			k++
		}
		if k < len(s) && isDigit(s[k]) {
			for k < len(s) && isDigit(s[k]) {
				k++
			}
			kind, j = tokFloat, k
		}
	}
	if kind == tokInt && j < len(s) && isLetter(s[j]) {
		k := j
		for k < len(s) && (isLetter(s[k]) || isDigit(s[k])) {
			k++
		}
		// 12h30m is a duration; anything else that sticks to a number is
		// left to the parser, which will not find a place for it.
		if isDuration(s[i:k]) {
			l.emit(tokDuration, k, s[i:k])
			return nil
		}
	}
	l.emit(kind, j, s[i:j])
	return nil
}

// isDuration tells whether s is a series of numbers with units.
func isDuration(s string) bool {
	for s != "" {
		i := 0
		for i < len(s) && isDigit(s[i]) {
			i++
		}
		j := i
		for j < len(s) && !isDigit(s[j]) {
			j++
		}
		if i == 0 {
			return false
		}
		switch strings.ToLower(s[i:j]) {
		case "y", "mo", "w", "d", "h", "m", "s", "ms", "us", "ns":
		default:
			return false
		}
		s = s[j:]
	}
	return true
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }
func isHex(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// isUUID tells whether s begins with a UUID that no letter or digit follows.
func isUUID(s string) bool {
	if len(s) < 36 || len(s) > 36 && (isDigit(s[36]) || isLetter(s[36])) {
		return false
	}
	for i := range 36 {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if !isHex(s[i]) {
				return false
			}
		}
	}
	return true
}

// fold lower-cases an identifier and does not allocate if nothing changes.
func fold(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= 'A' && c <= 'Z' {
			return strings.ToLower(s)
		}
	}
	return s
}
