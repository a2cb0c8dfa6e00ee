# syntax = docker/dockerfile:1.7 extra words
# check=skip=JSONArgsRecommended
# A comment that is no directive.
# escape=`
ARG VERSION=3.20 \
    OTHER

FR\
OM \
  # a comment between the lines

	alp\
ine:\
3.20 A\
S Base
RUN apk add \
      curl \

      # why curl
      git \	
 && echo "\
done"   
ENV OLD the rest  of the line
ENV A=1 B="two words" C=a\ b \
    D='x\' E="\"" \
    F=
LABEL "com.example"="a b" \
	version=1
run true \
