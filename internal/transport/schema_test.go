package transport_test

//go:generate sh testdata/generate.sh

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"stepwise/internal/transport"
)

// The resolvers of testdata/schema.graphqls.

// codedError is how the service reports what a client may know.
type codedError struct{ code, message string }

func (e codedError) Error() string { return e.message }
func (e codedError) Code() string  { return e.code }

type callerKey struct{}

type resolvers struct {
	// renamed counts the mutations that were executed.
	renamed func()
	// entered is called when `wait` begins to wait, and left when a subscription's
	// producer has ended.
	entered, left func()
}

func (r *resolvers) Query() QueryResolver               { return queryResolver{r} }
func (r *resolvers) Mutation() MutationResolver         { return mutationResolver{r} }
func (r *resolvers) Subscription() SubscriptionResolver { return subscriptionResolver{r} }
func (r *resolvers) Item() ItemResolver                 { return itemResolver{r} }

type (
	queryResolver        struct{ *resolvers }
	mutationResolver     struct{ *resolvers }
	subscriptionResolver struct{ *resolvers }
	itemResolver         struct{ *resolvers }
)

func exampleItem(id string) *Item {
	note := "a note"
	return &Item{
		ID: id, Name: "Example", Color: ColorGreen, Colors: AllColor, Tags: []string{"a", "b"},
		CreatedAt: "2026-01-02T03:04:05Z", Active: true, Size: 3, Weight: 1.5, Note: &note,
		Children: []Item{},
	}
}

func (itemResolver) Broken(context.Context, *Item) (*string, error) {
	return nil, errors.New("secret: the column is gone")
}

func (queryResolver) Greeting(_ context.Context, name *string) (string, error) {
	return "Hello, " + *name, nil
}

func (queryResolver) Item(_ context.Context, id string) (*Item, error) { return exampleItem(id), nil }

func (queryResolver) Items(context.Context) ([]Item, error) {
	return []Item{*exampleItem("1"), *exampleItem("2")}, nil
}

func (queryResolver) Doubled(_ context.Context, value *Even) (*int, error) {
	doubled := int(*value) * 2
	return &doubled, nil
}

func (queryResolver) Color(_ context.Context, value *Color) (*Color, error) { return value, nil }

func (queryResolver) Metadata(context.Context) (map[string]any, error) {
	return map[string]any{"line": "one\ntwo"}, nil
}

func (queryResolver) Caller(ctx context.Context) (string, error) {
	caller, _ := ctx.Value(callerKey{}).(string)
	return caller, nil
}

func (queryResolver) Failure(ctx context.Context, kind string) (*string, error) {
	switch kind {
	case "coded":
		return nil, fmt.Errorf("secret wrapping: %w", codedError{"NOT_FOUND", "There is no such thing."})
	case "plain":
		return nil, errors.New("dial tcp 10.0.0.5:6379: secret")
	case "panic":
		panic("secret panic")
	case "deadline":
		return nil, fmt.Errorf("secret query: %w", context.DeadlineExceeded)
	}
	return nil, nil
}

func (queryResolver) Failures(_ context.Context, count int) ([]*Item, error) {
	items := make([]*Item, count)
	for i := range items {
		items[i] = exampleItem(fmt.Sprint(i))
	}
	return items, nil
}

func (q queryResolver) Wait(ctx context.Context) (*string, error) {
	q.entered()
	<-ctx.Done()
	return nil, ctx.Err()
}

func (mutationResolver) Choose(_ context.Context, input Selection) (string, error) {
	return "chosen", nil
}

func (mutationResolver) ChooseOne(_ context.Context, choice Choice) (string, error) {
	return "chosen", nil
}

func (m mutationResolver) Rename(_ context.Context, id string, name string) (*Item, error) {
	m.renamed()
	item := exampleItem(id)
	item.Name = name
	return item, nil
}

func (mutationResolver) IssueToken(ctx context.Context, token string) (bool, error) {
	return true, transport.IssueClientToken(ctx, "client", token, time.Hour)
}

func (s subscriptionResolver) Count(ctx context.Context, to int) (<-chan int, error) {
	return produce(ctx, s.left, func(i int) (int, bool) { return i, i <= to }), nil
}

func (s subscriptionResolver) Forever(ctx context.Context) (<-chan int, error) {
	first := produce(ctx, s.left, func(i int) (int, bool) {
		if i > 1 {
			<-ctx.Done()
		}
		return i, i == 1
	})
	return first, nil
}

func (s subscriptionResolver) Flood(ctx context.Context, bytes int) (<-chan string, error) {
	text := strings.Repeat("x", bytes)
	return produce(ctx, s.left, func(int) (string, bool) { return text, true }), nil
}

func (subscriptionResolver) Refused(context.Context) (<-chan *int, error) {
	return nil, codedError{"NOT_FOUND", "There is no such thing."}
}

func (s subscriptionResolver) MetadataChanged(ctx context.Context) (<-chan map[string]any, error) {
	value := map[string]any{"line": "one\ntwo"}
	return produce(ctx, s.left, func(i int) (map[string]any, bool) { return value, i == 1 }), nil
}

// produce sends what next gives for 1, 2, … until it has no more or ctx ends.
func produce[T any](ctx context.Context, left func(), next func(i int) (T, bool)) <-chan T {
	values := make(chan T)
	go func() {
		defer left()
		defer close(values)
		for i := 1; ; i++ {
			value, more := next(i)
			if !more {
				return
			}
			select {
			case values <- value:
			case <-ctx.Done():
				return
			}
		}
	}()
	return values
}
