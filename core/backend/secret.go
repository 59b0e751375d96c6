package backend

import (
	"fmt"
	"log/slog"
	"regexp"
)

// Mask is what stands in place of a secret that is not empty.
const Mask = "******"

// Secret is an option's text that is never shown: printing it with any verb,
// logging it and marshalling it all give [Mask], or nothing when it is empty.
type Secret string

// Reveal returns the text itself, for the one place that sends it.
func (s Secret) Reveal() string { return string(s) }

// String masks the text.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return Mask
}

// Format masks the text under every verb, %x and %q included.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, s.String()) }

// LogValue masks the text in structured logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText masks the text in JSON and in maps.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalYAML masks the text in YAML.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// secretKey matches the names of keys whose value must not be shown even where
// its type is unknown: stock configuration, unknown keys, free-form maps. Names of
// files and of environment variables are no secrets, hence the exception below.
var (
	secretKey = regexp.MustCompile(`(?i)(password|passwd|pwd|secret|token|credential|private|apikey|api_key|keydata|keypassword)`)
	fileKey   = regexp.MustCompile(`(?i)(file|path|dir|uri|uris|command|env)$`)
)

// IsSecretKey says whether the value under a key of this name is to be masked
// wherever configuration is printed. It judges the name alone.
func IsSecretKey(name string) bool {
	return secretKey.MatchString(name) && !fileKey.MatchString(name)
}
