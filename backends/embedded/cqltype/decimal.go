package cqltype

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// plainZeros is how many zeros a decimal's key may put behind its digits on the
// way back: 1E+3 comes back as 1000, 1E+3000 as it is.
const plainZeros = 64

// maxDigits bounds the zeros that were cut off a decimal of the least scale.
const maxDigits = 1 << 20

// DecodeDecimal splits a decimal into unscaled value and scale: the number is
// unscaled * 10^-scale. b must have at least four bytes.
func DecodeDecimal(b []byte) (unscaled *big.Int, scale int32) {
	return DecodeVarint(b[4:]), int32(binary.BigEndian.Uint32(b))
}

// EncodeDecimal is the inverse of DecodeDecimal.
func EncodeDecimal(unscaled *big.Int, scale int32) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(scale)), EncodeVarint(unscaled)...)
}

// appendDecimalKey: sign, then for the number 0.d1d2d3... * 10^e the exponent e
// and the digits, flipped for negative numbers.
func appendDecimalKey(dst, b []byte) []byte {
	unscaled, scale := DecodeDecimal(b)
	if unscaled.Sign() == 0 {
		return append(dst, 1)
	}
	digits := new(big.Int).Abs(unscaled).String()
	e := int64(len(digits)) - int64(scale)
	digits = strings.TrimRight(digits, "0")
	if unscaled.Sign() > 0 {
		dst = append(dst, 2)
	} else {
		dst = append(dst, 0)
	}
	start := len(dst)
	dst = binary.BigEndian.AppendUint64(dst, uint64(e)^1<<63)
	for i := range len(digits) {
		dst = append(dst, digits[i]-'0'+1)
	}
	dst = append(dst, 0)
	if unscaled.Sign() < 0 {
		flip(dst[start:])
	}
	return dst
}

func (d *keyDecoder) decimal(dst []byte) ([]byte, error) {
	sign, err := d.byte()
	if err != nil {
		return nil, err
	}
	if sign == 1 {
		return append(dst, EncodeDecimal(new(big.Int), 0)...), nil
	}
	if sign == 0 {
		d.mask = ^d.mask
		defer func() { d.mask = ^d.mask }()
	}
	e, err := d.uint64()
	if err != nil {
		return nil, err
	}
	var digits []byte
	for {
		c, err := d.byte()
		if err != nil {
			return nil, err
		}
		if c == 0 {
			break
		}
		if c > 10 {
			return nil, fmt.Errorf("%#x is not a digit", c)
		}
		digits = append(digits, c-1+'0')
	}
	scale := int64(len(digits)) - int64(e^1<<63)
	for scale < 0 && scale >= -plainZeros || scale < math.MinInt32 && scale >= math.MinInt32-maxDigits {
		digits = append(digits, '0')
		scale++
	}
	unscaled, ok := new(big.Int).SetString(string(digits), 10)
	if !ok || int64(int32(scale)) != scale {
		return nil, fmt.Errorf("digits %q with scale %d are no decimal", digits, scale)
	}
	if sign == 0 {
		unscaled.Neg(unscaled)
	}
	return append(dst, EncodeDecimal(unscaled, int32(scale))...), nil
}

// parseDecimal reads a number with optional fraction and exponent exactly.
func parseDecimal(s string) ([]byte, error) {
	mantissa, exp := s, int64(0)
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		var err error
		if exp, err = strconv.ParseInt(s[i+1:], 10, 32); err != nil {
			return nil, fmt.Errorf("unable to make BigDecimal from '%s'", s)
		}
		mantissa = s[:i]
	}
	whole, frac, _ := strings.Cut(mantissa, ".")
	unscaled, ok := new(big.Int).SetString(whole+frac, 10)
	scale := int64(len(frac)) - exp
	if !ok || strings.ContainsAny(whole+frac, "_xXoObB") || int64(int32(scale)) != scale {
		return nil, fmt.Errorf("unable to make BigDecimal from '%s'", s)
	}
	return EncodeDecimal(unscaled, int32(scale)), nil
}

// formatDecimal writes a decimal as Java's BigDecimal.toString does.
func formatDecimal(b []byte) string {
	unscaled, scale := DecodeDecimal(b)
	if scale == 0 {
		return unscaled.String()
	}
	digits := new(big.Int).Abs(unscaled).String()
	sign := ""
	if unscaled.Sign() < 0 {
		sign = "-"
	}
	adjusted := int64(len(digits)) - 1 - int64(scale)
	if scale > 0 && adjusted >= -6 {
		if pad := int(scale) - len(digits) + 1; pad > 0 {
			digits = strings.Repeat("0", pad) + digits
		}
		at := len(digits) - int(scale)
		return sign + digits[:at] + "." + digits[at:]
	}
	if len(digits) > 1 {
		digits = digits[:1] + "." + digits[1:]
	}
	return fmt.Sprintf("%s%sE%+d", sign, digits, adjusted)
}
