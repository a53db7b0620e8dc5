"""A fleet on one machine: real processes, a real broker, the same aggregator and devices as anywhere.

`settings` say what is wanted; `plan` turns them and the data into what every device holds, and finds every mistake of
the user's before anything is started; `fleet` runs one partition, `runner` all of them, and `deploy.report` tells.
"""
