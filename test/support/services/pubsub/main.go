// A Pub/Sub server for tests: the one in memory that comes with Google's client library, at a fixed address. It writes
// down what is published, one JSON line for each message, before it takes it.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"

	"cloud.google.com/go/pubsub/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/pstest"
)

type message struct {
	Topic      string            `json:"topic"`
	Data       string            `json:"data"`
	Attributes map[string]string `json:"attributes"`
}

type journal struct {
	lock   sync.Mutex
	file   *os.File
	topics map[string]bool
}

// React sees each request to publish and leaves the answer to the server.
func (j *journal) React(request interface{}) (bool, interface{}, error) {
	published := request.(*pubsubpb.PublishRequest)
	if !j.topics[published.Topic] {
		return false, nil, nil
	}
	j.lock.Lock()
	defer j.lock.Unlock()
	lines := json.NewEncoder(j.file)
	for _, one := range published.Messages {
		line := message{published.Topic, string(one.Data), one.Attributes}
		if err := lines.Encode(line); err != nil {
			return true, nil, err
		}
	}
	return false, nil, nil
}

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: pubsub HOST:PORT JOURNAL TOPIC...")
		os.Exit(2)
	}
	file, err := os.OpenFile(os.Args[2], os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	written := &journal{file: file, topics: map[string]bool{}}
	for _, name := range os.Args[3:] {
		written.topics[name] = true
	}
	server := pstest.NewServerWithAddress(os.Args[1], pstest.ServerReactorOption{FuncName: "Publish", Reactor: written})
	for name := range written.topics {
		if _, err := server.GServer.CreateTopic(context.Background(), &pubsubpb.Topic{Name: name}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	select {}
}
