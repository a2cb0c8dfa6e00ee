# escape=`
# comment
FROM `
  mcr.microsoft.com/windows/nanoserver:ltsc2022 AS win
COPY --chown=a:b testfile.txt c:\
RUN dir c:\ `
  # inside
  && dir
RUN a ``
WORKDIR C:\app
CMD ["cmd", "/c", "echo \"hi\" \u00e9\ud83d\ude00"]
