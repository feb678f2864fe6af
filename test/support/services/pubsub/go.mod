module tiercel.test/pubsub

go 1.24

require cloud.google.com/go/pubsub v1.50.1
