package corpus

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
)

// qlNames are YCQL's codes by their names in package cqlerr.
var qlNames = map[string]int{
	"Internal": cqlerr.Internal, "ServerError": cqlerr.ServerError, "InvalidSQL": cqlerr.InvalidSQL, "InvalidCQL": cqlerr.InvalidCQL,
	"NotYetImplemented": cqlerr.NotYetImplemented, "FeatureUnsupport": cqlerr.FeatureUnsupport, "DatatypeMismatch": cqlerr.DatatypeMismatch,
	"DuplicateObject": cqlerr.DuplicateObject, "UndefinedColumn": cqlerr.UndefinedColumn, "DuplicateColumn": cqlerr.DuplicateColumn,
	"MissingPrimaryKey": cqlerr.MissingPrimaryKey, "InvalidKeyType": cqlerr.InvalidKeyType, "MissingKeyArg": cqlerr.MissingKeyArg,
	"NullKeyArg": cqlerr.NullKeyArg, "IncomparableTypes": cqlerr.IncomparableTypes, "InvalidProperty": cqlerr.InvalidProperty,
	"DuplicateProperty": cqlerr.DuplicateProperty, "InvalidDatatype": cqlerr.InvalidDatatype, "SystemReadOnly": cqlerr.SystemReadOnly,
	"InvalidFunction": cqlerr.InvalidFunction, "NoNamespace": cqlerr.NoNamespace, "CounterInsert": cqlerr.CounterInsert,
	"CounterUpdate": cqlerr.CounterUpdate, "DuplicateType": cqlerr.DuplicateType, "DuplicateField": cqlerr.DuplicateField,
	"AlterKeyColumn": cqlerr.AlterKeyColumn, "NullInCollection": cqlerr.NullInCollection, "Execution": cqlerr.Execution,
	"ObjectNotFound": cqlerr.ObjectNotFound, "InvalidTable": cqlerr.InvalidTable, "InvalidArguments": cqlerr.InvalidArguments,
	"TooFewArguments": cqlerr.TooFewArguments, "TooManyArguments": cqlerr.TooManyArguments, "KeyspaceExists": cqlerr.KeyspaceExists,
	"KeyspaceNotFound": cqlerr.KeyspaceNotFound, "TypeNotFound": cqlerr.TypeNotFound, "InvalidType": cqlerr.InvalidType,
	"InvalidRequest": cqlerr.InvalidRequest,
}

// qlCodes are the codes that the sources of the engine send: every use of one of the
// names above outside of package cqlerr.
func qlCodes() []string {
	used := map[int]bool{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "cqlerr" {
					if code, ok := qlNames[s.Sel.Name]; ok {
						used[code] = true
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		panic(err)
	}
	var out []string
	for c := range used {
		out = append(out, fmt.Sprintf("ql error %d", c))
	}
	slices.Sort(out)
	return out
}
