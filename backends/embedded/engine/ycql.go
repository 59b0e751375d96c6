package engine

import (
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
)

type blockPlan struct{}

func (e *Engine) planBlock(p *plan, b *binder, st *state, s *parse.Block, keyspace string) error {
	return b.src.Refuse("a statement list", s.Span)
}

func (e *Engine) runBlock(p *blockPlan, v env) (*server.Result, error) {
	return nil, cqlerr.Invalid("this statement is %s", cqlerr.NotSupported)
}

func (e *Engine) runYCQLWrite(w *pending, res *server.Result) (*server.Result, error) {
	return nil, nil
}

func (e *Engine) runYCQLBatch(ws []*pending) (*server.Result, error) {
	return nil, cqlerr.Invalid("this statement is %s", cqlerr.NotSupported)
}
