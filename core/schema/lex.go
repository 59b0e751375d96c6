package schema

import (
	"fmt"
	"strings"
)

// token is a word, a number, a quoted name or text, or one sign.
type token string

// lex splits a schema statement into tokens. Comments are dropped; names that
// are not quoted become lower case, as the servers take them.
func lex(statement string) ([]token, error) {
	var out []token
	s := statement
	for s != "" {
		switch c := s[0]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ';':
			s = s[1:]
		case strings.HasPrefix(s, "--"), strings.HasPrefix(s, "//"):
			_, s, _ = strings.Cut(s, "\n")
		case strings.HasPrefix(s, "/*"):
			_, rest, found := strings.Cut(s[2:], "*/")
			if !found {
				return nil, fmt.Errorf("comment without end: %s", firstWords(statement))
			}
			s = rest
		case c == '\'' || c == '"':
			end := strings.IndexByte(s[1:], c)
			if end < 0 {
				return nil, fmt.Errorf("text without end: %s", firstWords(statement))
			}
			out = append(out, token(s[:end+2]))
			s = s[end+2:]
		case isWord(c):
			n := 1
			for n < len(s) && isWord(s[n]) {
				n++
			}
			out = append(out, token(strings.ToLower(s[:n])))
			s = s[n:]
		default:
			out = append(out, token(s[:1]))
			s = s[1:]
		}
	}
	return out, nil
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// name strips the quotes of a quoted name.
func (t token) name() string { return strings.Trim(string(t), `"`) }
