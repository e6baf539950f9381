// Package redisstore keeps sign-ups, hints and budgets in Redis: one server,
// Sentinel or Cluster, or a small Redis inside this process.
//
// Every method of [Store] that touches a sign-up is one Lua script and one
// round trip; the script that enters it in a register, which lies in another slot,
// is sent with it. What belongs to one client lies in one slot:
//
//	su1:{instance:client}:a:<id>     string: version, lifecycle, ended at, expires at, data
//	su1:{instance:client}:cur        string: id of the client's current sign-up
//	su1:{instance:client}:idem:<h>   hash: a id, f fingerprint, o outcome, x expires at
//	su1:due:{instance:<n>}           sorted set: client:id of sign-ups that have not ended, by when
//	                                 they are due; the empty member by when the set expires
//	su1:rl:{<h>}                     string: arrival time of a budget
//	su1:ev:{instance:client}:<id>    channel: the sign-up changed
//	su1:set:<instance>               channel: the settings changed
//
// where <n> is one of sixteen numbers, by the client, and <h> is a SHA-256 hash, so
// that nothing a person typed is in a name. Times are Unix milliseconds. Every key gets its expiry in the script that
// writes it. Scripts take the time from their arguments and never from Redis;
// a record is forgotten as soon as either this process's clock or Redis's own
// has reached its ExpireAt.
//
// No script is sent twice: whoever gets an error that is none of the port's
// does not know whether the write happened.
package redisstore
