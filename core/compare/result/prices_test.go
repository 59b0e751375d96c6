package result

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhatAMillionWorkflowsCost(t *testing.T) {
	sheet := Prices{
		Currency: "EUR", ServerCPUHour: 0.036, DatabaseCPUHour: 0.072, Utilization: 0.5,
		DiskGBMonth: 0.1, Retention: 73 * time.Hour, Copies: 3,
	}
	require.NoError(t, sheet.Validate())
	measured := func(quantities map[string]float64) *Block {
		b := &Block{Quantities: map[string]Quantity{}}
		for name, value := range quantities {
			b.Quantities[name] = Quantity{Value: value}
		}
		return b
	}
	tests := []struct {
		name             string
		give             map[string]float64
		inside, inMemory bool
		want             map[string]float64
	}{
		{
			// 10 ms of a million are 10,000 s, twice that at half use: 5.56 h of 0.036.
			"a database of its own",
			map[string]float64{ServerCPU: 10, DatabaseCPU: 5, DiskGrowth: 100},
			false, false,
			// 102.4 GB in three copies for a tenth of a month.
			map[string]float64{MoneyServer: 0.2, MoneyDatabase: 0.2, MoneyDisk: 3.072, MoneyAll: 3.472},
		},
		{
			"a database inside of the server is paid for with it",
			map[string]float64{ServerCPU: 10, DiskGrowth: 100},
			true, false,
			map[string]float64{MoneyServer: 0.2, MoneyDatabase: 0, MoneyDisk: 3.072, MoneyAll: 3.272},
		},
		{
			"one in memory keeps no files",
			map[string]float64{ServerCPU: 10},
			true, true,
			map[string]float64{MoneyServer: 0.2, MoneyDatabase: 0, MoneyDisk: 0, MoneyAll: 0.2},
		},
		{
			"what is not known has no cost, and so the whole",
			map[string]float64{ServerCPU: 10, DatabaseCPU: 5},
			false, false,
			map[string]float64{MoneyServer: 0.2, MoneyDatabase: 0.2},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := measured(tt.give)
			sheet.Price(b, tt.inside, tt.inMemory)
			got := map[string]float64{}
			for _, name := range Money {
				if q, ok := b.Quantities[name]; ok {
					require.Equal(t, "EUR per million workflows", q.Unit)
					require.Equal(t, name == MoneyAll, q.Judged)
					got[name] = q.Value
				}
			}
			require.InDeltaMapValues(t, tt.want, got, 1e-9)
			require.Len(t, got, len(tt.want))
		})
	}

	t.Run("what has no price does not show", func(t *testing.T) {
		b := measured(map[string]float64{ServerCPU: 10})
		DefaultPrices().Price(b, false, false)
		require.Len(t, b.Quantities, 1)
		Prices{Currency: "EUR", ServerCPUHour: 1, Utilization: 1, Copies: 1}.Price(b, false, false)
		require.NotContains(t, b.Quantities, MoneyDisk)
		require.Contains(t, b.Quantities, MoneyAll, "nothing else has a price")
	})
}

func TestPricesThatCannotBe(t *testing.T) {
	p := Prices{ServerCPUHour: -1, DiskGBMonth: 1, Utilization: 2}
	err := p.Validate()
	for _, want := range []string{"serverCPUHour: -1: give a price of 0 or more", "utilization: 2: give a share", "retention: 0s: give a time", "copies: 0: give 1 or more"} {
		require.ErrorContains(t, err, want)
	}
	require.NoError(t, DefaultPrices().Validate())
	require.False(t, DefaultPrices().Any())
}
