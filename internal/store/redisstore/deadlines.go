package redisstore

import (
	"container/heap"
	"sync"
)

// deadlines knows when which key expires, in Unix milliseconds. The zero value
// is empty and ready.
type deadlines struct {
	mu sync.Mutex
	at map[string]int64
	// queue holds every deadline ever set, soonest first. One that at no longer
	// confirms is ignored when its turn comes.
	queue deadlineQueue
}

type deadline struct {
	at  int64
	key string
}

// set replaces the deadline of a key.
func (d *deadlines) set(key string, at int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.at == nil {
		d.at = make(map[string]int64)
	}
	if known, ok := d.at[key]; ok && known == at {
		return
	}
	d.at[key] = at
	heap.Push(&d.queue, deadline{at, key})
}

// due takes up to limit keys off the queue whose deadline has come.
func (d *deadlines) due(now int64, limit int) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var keys []string
	for len(keys) < limit && len(d.queue) > 0 && d.queue[0].at <= now {
		first := heap.Pop(&d.queue).(deadline)
		if d.at[first.key] == first.at {
			keys = append(keys, first.key)
		}
	}
	return keys
}

// remove forgets a key and reports whether its deadline has come.
func (d *deadlines) remove(key string, now int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	at, ok := d.at[key]
	if !ok || at > now {
		return false
	}
	delete(d.at, key)
	return true
}

// deadlineQueue implements heap.Interface.
type deadlineQueue []deadline

func (q deadlineQueue) Len() int           { return len(q) }
func (q deadlineQueue) Less(i, j int) bool { return q[i].at < q[j].at }
func (q deadlineQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *deadlineQueue) Push(x any)        { *q = append(*q, x.(deadline)) }

func (q *deadlineQueue) Pop() any {
	last := len(*q) - 1
	d := (*q)[last]
	(*q)[last] = deadline{} // lets go of the key
	*q = (*q)[:last]
	return d
}
