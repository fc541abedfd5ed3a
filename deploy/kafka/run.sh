#!/bin/sh
# Start one real Kafka broker (KRaft, one JVM) from the jars of Maven Central, in the foreground.
#
#   deploy/kafka/run.sh fetch                        download the jars once (Maven), into target/lib
#   deploy/kafka/run.sh DATA_DIR [PORT [CONTROLLER_PORT]]   start; a DATA_DIR that holds data is continued
#
# Needs Java 17 or newer and, for the download, Maven 3.6 or newer. KAFKA_HEAP sets the heap (512m).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
jars="$here/target/lib"

fetch() {
    [ -f "$jars/.complete" ] && [ ! "$here/pom.xml" -nt "$jars/.complete" ] && return
    command -v mvn >/dev/null || { echo "Maven is missing: apt install maven (or put mvn on the PATH)" >&2; exit 3; }
    rm -rf "$jars"
    mvn -B -q -f "$here/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$jars" >&2
    touch "$jars/.complete"
}

command -v java >/dev/null || { echo "Java is missing: apt install openjdk-17-jre-headless" >&2; exit 3; }
[ $# -ge 1 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
fetch
[ "$1" = fetch ] && exit 0

mkdir -p "$1"
data=$(cd "$1" && pwd)
port=${2:-9092}
config="$data/server.properties"
sed -e "s|@PORT@|$port|g" -e "s|@CONTROLLER_PORT@|${3:-$((port + 1))}|g" -e "s|@DATA@|$data/log|g" \
    "$here/server.properties" >"$config"

# Serial collector and the quick compiler only: one broker starts in seconds and leaves the cores to others.
java="java -Xms128m -Xmx${KAFKA_HEAP:-512m} -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
java="$java -Dlog4j2.configurationFile=$here/log4j2.properties"
[ -f "$data/log/meta.properties" ] ||
    # One word with its option: an id may begin with a dash, which would read as an option of its own.
    $java -cp "$jars/*" kafka.tools.StorageTool format --cluster-id="$(
        head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d =
    )" --config "$config" >&2
exec $java -cp "$jars/*" kafka.Kafka "$config"
